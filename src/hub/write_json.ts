// Writing one text or JSON file of a model folder, whole or not at all.
import { writeFileAtomically } from "./atomic_file.ts";
import { makeFolder } from "./make_folder.ts";

/**
 * Write a JSON file.
 *
 * @param folder The folder, made if it is missing.
 * @param file The file's name in it.
 * @param content What it holds.
 */
export function writeJson(folder: string | URL, file: string, content: unknown): Promise<void> {
  return writeText(folder, file, `${formatJson(content)}\n`);
}

/** JSON with two spaces, and NaN and infinities as Python's json writes them. */
export function formatJson(content: unknown): string {
  const marker = "\0number:";
  const marked = JSON.stringify(content, (_, value) => {
    return typeof value === "number" && !Number.isFinite(value) ? `${marker}${value}` : value;
  }, 2);
  return marked.replaceAll(/"\\u0000number:(-?\w+)"/g, "$1");
}

/**
 * Write a text file.
 *
 * @param folder The folder, made if it is missing.
 * @param file The file's name in it.
 * @param text What it holds.
 */
export async function writeText(folder: string | URL, file: string, text: string): Promise<void> {
  const path = await makeFolder(folder);
  await writeFileAtomically(path, file, text);
}
