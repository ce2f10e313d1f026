// Files and folders that cannot be written, in words for a person. Whatever writes one does it inside `writing`, so that the
// error of the system becomes Limner's: it says which file, and why.
import { LimnerError, WriteError } from "./mod.ts";

/** The codes of errors that Deno gives none, by their number: `EFBIG`, `EDQUOT`, and Windows' of a full disk. */
const codes: Readonly<Record<string, string>> = { 27: "EFBIG", 122: "EDQUOT", 112: "ENOSPC" };

/** Why, by the code that the system's error has. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "what should be its folder is a file",
  EEXIST: "it is a file",
  EISDIR: "it is a folder",
  EACCES: "writing is not permitted there",
  EPERM: "writing is not permitted there",
  EROFS: "its file system can only be read",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EFBIG: "a file may not be as large there",
  ENAMETOOLONG: "its name is too long",
};

/** Why a file or a folder cannot be written; undefined for an error that is not of the file system. */
export function whyNotWritten(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === "NotCapable") return "writing is not permitted, and --allow-write was expected";
  if (error.name === "BadResource") return "it was closed";
  const code = systemCodeOf(error);
  if (code === undefined) return undefined;
  // Deno ends its messages with the call and its paths.
  return Object.hasOwn(reasons, code) ? reasons[code] : error.message.replace(/: \w+ '.*$/s, "");
}

/** The code of an error of the system, such as ENOSPC; undefined for others, Limner's own among them. */
export function systemCodeOf(error: Error): string | undefined {
  if (error instanceof LimnerError) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return /^E[A-Z\d]+$/.test(code) ? code : undefined;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return number && (codes[number] ?? "unknown");
}

/** An error of the file system as a WriteError; whatever else it is stays as it is. */
export function notWritten(path: string, error: unknown, task: WritingTask = "write"): unknown {
  const why = whyNotWritten(error);
  return why === undefined ? error : new WriteError(`Cannot ${task} ${path}: ${why}`, path, { cause: error });
}

/** What is done to a path. */
export type WritingTask = "write" | "remove" | "make the folder";

/**
 * Write a file or a folder.
 *
 * @param path What it is called in the message.
 * @param work What is done; other errors than those of the file system are passed on.
 * @throws {WriteError} If the system refuses.
 */
export async function writing<T>(path: string, work: () => T | Promise<T>, task?: WritingTask): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw notWritten(path, error, task);
  }
}
