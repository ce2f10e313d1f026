// How well the embedded model reads the repository's lines, in 32, 8 and 4 bits.
import { Captioner } from "../../mod.ts";
import { errorRates } from "../../src/training/report/error_rates.ts";

/** What is measured of one form. */
export interface LinesRead {
  readonly dtype: "float32" | "q8" | "q4";
  /** Characters that are wrong, of all. */
  readonly wrong: number;
  /** Texts that float32 reads otherwise, and all texts. */
  readonly changed: number;
  readonly texts: number;
  toString(): string;
}

/** Read the lines in each form. */
export async function readLines(): Promise<LinesRead[]> {
  const folder = new URL("../../tests/fixtures/lines/", import.meta.url);
  const { lines } = JSON.parse(await Deno.readTextFile(new URL("index.json", folder)));
  const right = lines.map(({ text }: { text: string }) => text);
  const results: LinesRead[] = [];
  let whole: string[] | undefined;
  for (const dtype of ["float32", "q8", "q4"] as const) {
    await using captioner = await Captioner.load(undefined, { backend: "ffi", dtype });
    const found: string[] = [];
    for (const { file } of lines) found.push(await captioner.caption(new URL(file, folder)));
    whole ??= found;
    const wrong = errorRates(right, found).characterErrorRate;
    const changed = found.filter((text, i) => text !== whole![i]).length;
    const said =
      `embedded ${dtype}: ${(100 * wrong).toFixed(2)} % of characters wrong, ${changed} of ${found.length} ` +
      `texts changed`;
    results.push({ dtype, wrong, changed, texts: found.length, toString: () => said });
  }
  return results;
}
