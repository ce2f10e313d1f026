// The pictures of a folder and its subfolders, by their names' endings, in an order that does not change.
import { HubError } from "../../errors/mod.ts";
import { isMangled, notUtf8 } from "../../hub/file_path.ts";

/** How the names of pictures end. */
export const pictureEndings: readonly string[] = [
  ...[".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".pnm", ".pbm", ".pgm", ".ppm"],
];

/** A picture of a folder. */
export interface FoundPicture {
  /** Its path from the folder on, with `/` between names; that of a folder whose pictures cannot be found ends in `/`. */
  readonly file: string;
  /** Why they cannot. */
  readonly problem?: HubError;
}

/**
 * Find pictures. Links to files are followed, links to folders are not; what is hidden (`.name`) is passed over.
 *
 * @param folder The folder, without a separator at its end.
 * @returns A folder's own files first, both by the order of their names.
 * @throws {HubError} If there is no such folder, or it cannot be read.
 */
export async function* picturesIn(folder: string, below: string = ""): AsyncGenerator<FoundPicture> {
  const names: string[] = [];
  const folders: string[] = [];
  const here = below ? `${folder}/${below.slice(0, -1)}` : folder;
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(here)) {
      if (name.startsWith(".")) continue;
      if (isDirectory) folders.push(name);
      else if (isPicture(name) && !(isSymlink && await isFolder(`${here}/${name}`))) names.push(name);
    }
  } catch (error) {
    const reason = reasonOf(error, here);
    const problem = new HubError(`Cannot read the folder ${here}: ${reason}`, { cause: error, code: "not-found" });
    if (below === "") throw problem;
    // What else there is, is read.
    return yield { file: below, problem };
  }
  // By code units, which no locale changes.
  for (const name of names.sort()) yield { file: below + name };
  for (const name of folders.sort()) yield* picturesIn(folder, `${below}${name}/`);
}

function isPicture(name: string): boolean {
  const lower = name.toLowerCase();
  return pictureEndings.some((ending) => lower.endsWith(ending));
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

function reasonOf(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) return isMangled(path) ? notUtf8 : "there is none";
  if (error instanceof Deno.errors.NotADirectory) return "it is a file";
  if (error instanceof Deno.errors.NotCapable) return "reading it is not permitted, and --allow-read was expected";
  if (error instanceof Deno.errors.PermissionDenied) return "reading it is not permitted";
  return (error as Error).message;
}
