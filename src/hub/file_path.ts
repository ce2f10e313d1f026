// Paths from what users pass: a path, or a file: URL.
import { HubError } from "../errors/mod.ts";

/**
 * The path that a path or a `file:` URL means on this system.
 *
 * @param source A path, which is returned as it is, or a `file:` URL, also as a string.
 * @throws {HubError} If it is a URL of another scheme or of another host, or its escapes are wrong.
 */
export function toPath(source: string | URL): string {
  if (typeof source === "string" && !/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) return source;
  const url = new URL(source);
  if (url.protocol !== "file:") {
    throw new HubError(`Cannot use ${url} as a path: its scheme is ${url.protocol}, expected file:`);
  }
  const windows = Deno.build.os === "windows";
  if (url.host !== "" && !windows) throw new HubError(`Cannot use ${url} as a path: it names the host ${url.host}`);
  try {
    const path = decodeURIComponent(url.pathname);
    if (!windows) return path;
    return url.host === "" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : `//${url.host}${path}`;
  } catch (error) {
    throw new HubError(`Cannot use ${url} as a path: its escapes are no UTF-8`, { cause: error });
  }
}

/** The path of a folder as {@linkcode toPath} gives it, without a separator at its end. */
export function toFolderPath(source: string | URL): string {
  return toPath(source).replace(/(?<=.)[/\\]+$/, "");
}

/** The folder of a file's path, `.` where it names none, and the file's name. */
export function splitPath(file: string): { folder: string; name: string } {
  const [, folder = "", name = file] = /^(.*[/\\])([^/\\]*)$/s.exec(file) ?? [];
  return { folder: folder || ".", name };
}

/** Whether a path may be one whose bytes are no UTF-8: Deno lists such names with U+FFFD, and then cannot open them. */
export function isMangled(path: string): boolean {
  return path.includes("\ufffd");
}

/** Why a file with such a path is not there. */
export const notUtf8 = "its name is no UTF-8 and cannot be opened; give it another";
