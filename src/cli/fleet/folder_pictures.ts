// The pictures of a folder and its subfolders, by their names' endings, in an order that does not change.
import { HubError } from "../../errors/mod.ts";

const endings = /\.(?:png|jpe?g|gif|webp|bmp|tiff?|avif|pnm|pbm|pgm|ppm)$/i;

/**
 * Find pictures. Links to files are followed, links to folders are not; what is hidden (`.name`) is passed over.
 *
 * @param folder The folder, without a separator at its end.
 * @returns Paths from the folder on, with `/` between names: a folder's own files first, both by the order of their names.
 * @throws {HubError} If there is no such folder, or one below it cannot be read.
 */
export async function* picturesIn(folder: string, below: string = ""): AsyncGenerator<string> {
  const names: string[] = [];
  const folders: string[] = [];
  const here = below ? `${folder}/${below.slice(0, -1)}` : folder;
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(here)) {
      if (name.startsWith(".")) continue;
      if (isDirectory) folders.push(name);
      else if (endings.test(name) && !(isSymlink && await isFolder(`${here}/${name}`))) names.push(name);
    }
  } catch (error) {
    throw new HubError(`Cannot read the folder ${here}: ${reasonOf(error)}`, { cause: error, code: "not-found" });
  }
  // By code units, which no locale changes.
  for (const name of names.sort()) yield below + name;
  for (const name of folders.sort()) yield* picturesIn(folder, `${below}${name}/`);
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is none";
  if (error instanceof Deno.errors.NotADirectory) return "it is a file";
  if (error instanceof Deno.errors.NotCapable) return "reading it is not permitted, and --allow-read was expected";
  return (error as Error).message;
}
