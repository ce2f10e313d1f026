// Lines of printed text read by the embedded model: the same texts as PyTorch reads.
import { assertEquals } from "@std/assert";
import { Captioner } from "../../src/captioner/captioner.ts";
import type { Backend } from "../../src/graph/mod.ts";

const folder = new URL("../fixtures/lines/", import.meta.url);

/** Below this gap between PyTorch's two best logits rounding may decide. */
const tie = 1e-3;

/**
 * Read lines on a backend.
 *
 * @param name The backend's name, for the test's name.
 * @param count How many of the 120 lines are read.
 */
export function readsLines(name: string, load: () => Promise<Backend>, count: number): void {
  Deno.test(`${name} reads ${count} lines as PyTorch`, async () => {
    const { lines } = JSON.parse(await Deno.readTextFile(new URL("index.json", folder)));
    const chosen: { file: string; pytorch: string; margin: number }[] = lines.slice(0, count);
    await using backend = await load();
    await using captioner = await Captioner.load(undefined, { backend });
    const texts = await captioner.caption(chosen.map(({ file }) => new URL(file, folder)));
    const different = chosen.filter(({ pytorch, margin }, i) => texts[i] !== pytorch && margin >= tie);
    assertEquals(different, []);
    assertEquals(texts.length, count);
  });
}
