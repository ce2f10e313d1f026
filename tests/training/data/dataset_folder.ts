// Folders of pictures with a table of texts, for tests.
import { AutoImageProcessor, AutoTokenizer, type ImageProcessor, type Tokenizer } from "../../../mod.ts";

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
export async function withFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<unknown>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_dataset_" });
  try {
    for (let n = 0; n < 10; n++) await Deno.copyFile(lineFile(n), `${folder}/${n}.png`);
    for (const [name, content] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${name}`.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeFile(
        `${folder}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
