// Making the folder that files are to be written to, with a message for a person where that cannot be.
import { HubError } from "../errors/mod.ts";
import { toFolderPath } from "./file_path.ts";

/**
 * Make a folder, and those that it is in, unless it is there.
 *
 * @param folder A path or a `file:` URL.
 * @returns Its path, without a separator at its end.
 * @throws {HubError} If it has no name, is a file, or cannot be made.
 */
export async function makeFolder(folder: string | URL): Promise<string> {
  const path = toFolderPath(folder);
  // Its files would lie in the root of the file system.
  if (path === "") throw new HubError('Cannot write to the folder "": it has no name; "." is the current one');
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    throw new HubError(`Cannot make the folder ${path}: ${whyNotWritten(error)}`, { cause: error });
  }
  return path;
}

/** Why a file or a folder could not be written, for a person. */
export function whyNotWritten(error: unknown): string {
  if (error instanceof Deno.errors.AlreadyExists) return "it is a file";
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.NotADirectory) return "what should be its folder is a file";
  if (error instanceof Deno.errors.NotCapable) return "writing is not permitted, and --allow-write was expected";
  if (error instanceof Deno.errors.PermissionDenied) return "writing is not permitted there";
  return error instanceof Error ? error.message : String(error);
}
