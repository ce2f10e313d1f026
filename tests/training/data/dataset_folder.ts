// Folders of pictures with a table of texts, for tests.
import { AutoImageProcessor, AutoTokenizer, type ImageProcessor, type Tokenizer } from "../../../mod.ts";
import { withFolderOf } from "../../folder_of_files.ts";

const model = new URL("../../../assets/model/", import.meta.url);
const lines = new URL("../../fixtures/lines/", import.meta.url);

/** The embedded model's tokenizer and image processor. */
export async function parts(): Promise<{ tokenizer: Tokenizer; processor: ImageProcessor }> {
  return {
    tokenizer: await AutoTokenizer.fromPretrained(model),
    processor: await AutoImageProcessor.fromPretrained(model),
  };
}

/** The file of one of the pictures of lines. */
export function lineFile(n: number): URL {
  return new URL(`${String(n).padStart(3, "0")}.png`, lines);
}

/** Run a test in a folder with pictures 0.png to 9.png and the files that are given. */
export function withFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<unknown>,
): Promise<void> {
  const pictures = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`${n}.png`, lineFile(n)]));
  return withFolderOf(pictures, files, use);
}

/** A table as JSON lines. */
export function jsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => JSON.stringify(row) + "\n").join("");
}

/** Ten rows, one a picture: texts `t0` to `t9`, each one letter longer. */
export const tenRows: { file_name: string; text: string }[] = Array.from(
  { length: 10 },
  (_, n) => ({ file_name: `${n}.png`, text: `t${n}`.padEnd(n + 2, "x") }),
);
