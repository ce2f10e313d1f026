// The folder that files are to be written to: made, or checked before much work is done for its files.
import { HubError } from "../errors/mod.ts";
import { notWritten, writing } from "../errors/writing.ts";
import { checkNames } from "./atomic_file.ts";
import { splitPath, toFolderPath, toPath } from "./file_path.ts";

/**
 * Make a folder, and those that it is in, unless it is there.
 *
 * @param folder A path or a `file:` URL.
 * @returns Its path, without a separator at its end.
 * @throws {HubError} If it has no name.
 * @throws {WriteError} If it is a file, or cannot be made.
 */
export async function makeFolder(folder: string | URL): Promise<string> {
  const path = namedPath(folder);
  await writing(path, () => Deno.mkdir(path, { recursive: true }), "make the folder");
  return path;
}

/**
 * Check that a folder can be written, or where it is missing can be made. Nothing is left behind.
 *
 * @throws {HubError} If it has no name.
 * @throws {WriteError} If not.
 */
export async function checkFolder(folder: string | URL): Promise<void> {
  const path = namedPath(folder);
  const isThere = (at: string) => Deno.stat(at).then(() => true, () => false);
  let nearest = path;
  while (!await isThere(nearest)) {
    const parent = toFolderPath(splitPath(nearest).folder);
    if (parent === nearest) break;
    nearest = parent;
  }
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: nearest, prefix: ".limner-" }));
  } catch (error) {
    // Writing may be permitted in the folder alone.
    if (error instanceof Deno.errors.NotCapable && nearest !== path) return;
    throw notWritten(path, error, nearest === path ? "write" : "make the folder");
  }
}

/**
 * Check that a file can be written, or its folder made. Nothing is left behind.
 *
 * @throws {HubError} If it has no name.
 * @throws {WriteError} If not, or if it is a folder.
 */
export async function checkFile(file: string | URL): Promise<void> {
  const path = toPath(file);
  const { folder, name } = splitPath(path);
  if (name === "") throw new HubError(`Cannot write to the file "${path}": it has no name`);
  await checkFolder(folder);
  await checkNames(toFolderPath(folder), [name]);
}

/** The path of a folder; without a name its files would lie in the root of the file system. */
function namedPath(folder: string | URL): string {
  const path = toFolderPath(folder);
  if (path === "") throw new HubError('Cannot write to the folder "": it has no name; "." is the current one');
  return path;
}
