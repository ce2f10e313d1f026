// The files of --attention: one a picture, checked before any work is done, and never half written.
import type { Attention } from "../attention/mod.ts";
import { LimnerError } from "../errors/mod.ts";
import { splitPath } from "../hub/mod.ts";
import { PendingFile, removeStaleFiles, writeFileAtomically } from "../hub/atomic_file.ts";

/** The file of each of `count` pictures: the one given, or `out-1.png`, `out-2.png` and so on. */
export function sheetFiles(file: string, count: number): string[] {
  return count === 1 ? [file] : Array.from({ length: count }, (_, i) => file.replace(/(?=\.png$)/i, `-${i + 1}`));
}

/**
 * Check that files can be written.
 *
 * @param pictures Files that are to be read.
 * @throws {LimnerError} If one cannot, or is one of the pictures.
 */
export async function checkSheets(files: readonly string[], pictures: readonly string[]): Promise<void> {
  const read = new Set(await Promise.all(pictures.map((picture) => Deno.realPath(picture).catch(() => picture))));
  for (const folder of new Set(files.map((file) => splitPath(file).folder))) await removeStaleFiles(folder);
  for (const file of files) {
    const fail = (reason: string): never => {
      throw new LimnerError(`Cannot write ${file}: ${reason}`);
    };
    if (read.has(await Deno.realPath(file).catch(() => file))) fail("it is one of the pictures, and would be lost");
    if ((await Deno.stat(file).catch(() => undefined))?.isDirectory) fail("it is a folder");
    const { folder, name } = splitPath(file);
    (await PendingFile.create(folder, name))[Symbol.dispose]();
  }
}

/**
 * Draw where the model looked.
 *
 * @throws {WriteError} If the file cannot be written.
 */
export async function writeSheet(file: string, attention: Attention): Promise<void> {
  const { drawAttention } = await import("../attention/mod.ts");
  const { encodePng } = await import("../image/mod.ts");
  const bytes = await encodePng(await drawAttention(attention));
  const { folder, name } = splitPath(file);
  await writeFileAtomically(folder, name, bytes);
}
