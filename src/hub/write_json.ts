// Writing one text or JSON file of a model folder, whole or not at all.
import { writeFileAtomically } from "./atomic_file.ts";
import { toFolderPath } from "./file_path.ts";

/**
 * Write a JSON file.
 *
 * @param folder The folder, made if it is missing.
 * @param file The file's name in it.
 * @param content What it holds.
 */
export function writeJson(folder: string | URL, file: string, content: unknown): Promise<void> {
  return writeText(folder, file, `${JSON.stringify(content, null, 2)}\n`);
}

/**
 * Write a text file.
 *
 * @param folder The folder, made if it is missing.
 * @param file The file's name in it.
 * @param text What it holds.
 */
export async function writeText(folder: string | URL, file: string, text: string): Promise<void> {
  const path = toFolderPath(folder);
  await Deno.mkdir(path, { recursive: true });
  await writeFileAtomically(path, file, text);
}
