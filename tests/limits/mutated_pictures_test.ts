// Pictures of each format with bytes changed at random, and JPEGs that are mostly tables: read or refused, at a bounded cost.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { FormatError, LimnerError, readImage } from "../../mod.ts";
import { effort } from "../effort.ts";
import { memory, processorTime } from "../process_cost.ts";

const folder = new URL("../fixtures/images/", import.meta.url);
const jpeg = Deno.readFileSync(new URL("formats/optimised.jpg", folder));

/** The smallest fixture of each format. */
function smallest(): Map<string, Uint8Array<ArrayBuffer>> {
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const name of ["formats", "scans", "inputs"]) {
    for (const entry of Deno.readDirSync(new URL(`${name}/`, folder))) {
      const [, format] = /\.(png|jpg|webp|gif|bmp|tif|avif|ppm)$/.exec(entry.name) ?? [];
      if (!format) continue;
      const bytes = Deno.readFileSync(new URL(`${name}/${entry.name}`, folder));
      if (bytes.length > 200 && bytes.length < (found.get(format)?.length ?? Infinity)) found.set(format, bytes);
    }
  }
  return found;
}

/** Numbers that are the same in each run, below `most`. */
function random(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state ^ state >>> 13) >>> 0) % most;
  };
}

for (const [format, bytes] of smallest()) {
  Deno.test(`a mutated ${format} is read or refused, soon and in bounded memory`, async () => {
    await readImage(bytes.slice()); // the decoder is loaded
    const below = random(1);
    let refused = 0;
    const tries = effort(100, 100_000);
    for (let n = 0; n < tries; n++) {
      const mutated = bytes.slice();
      for (let changes = 1 + below(4); changes > 0; changes--) {
        const at = below(2) ? below(Math.min(64, mutated.length)) : below(mutated.length);
        mutated[at] = [below(256), mutated[at] ^ 1 << below(8), 0, 255][below(4)];
      }
      const before = [processorTime(), memory().resident];
      const error = await readImage(mutated).then(() => undefined, (error) => error);
      const [taken, grown] = [processorTime() - before[0], memory().resident - before[1]];
      assert(taken < 1000 && grown < 300e6, `mutation ${n}: ${taken} ms of the processor, ${grown} bytes`);
      if (error === undefined) continue;
      assertInstanceOf(error, LimnerError, `mutation ${n}: ${error?.stack}`);
      refused++;
    }
    assert(refused > tries / 50, `${refused} of ${tries} were refused`);
  });
}

/** The JPEG with a segment repeated after its start. */
function flooded(segment: readonly number[], times: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(jpeg.length + times * segment.length);
  file.set(jpeg.subarray(0, 2));
  for (let n = 0; n < times; n++) file.set(segment, 2 + n * segment.length);
  file.set(jpeg.subarray(2), 2 + times * segment.length);
  return file;
}

Deno.test("a JPEG that is mostly tables or segments is refused, and one with many is read", async () => {
  const codes = [0, 1, ...new Array(15).fill(0), 5]; // a Huffman table of one code
  const segment = (marker: number, body: readonly number[]) => [
    ...[0xff, marker, body.length + 2 >> 8, body.length + 2 & 255],
    ...body,
  ];
  const floods = {
    "Huffman tables": [segment(0xc4, codes), 60_000],
    "Huffman tables in large segments": [segment(0xc4, new Array(3600).fill(codes).flat()), 20],
    "quantisation tables": [segment(0xdb, [0, ...new Array(64).fill(1)]), 20_000],
    comments: [segment(0xfe, []), 300_000],
  } as const;
  for (const [what, [repeated, times]] of Object.entries(floods)) {
    const before = processorTime();
    const error = await readImage(flooded(repeated, times)).catch((error) => error);
    assertInstanceOf(error, FormatError, what);
    assert(error.message.includes("more than 10000 segments and tables"), error.message);
    assert(processorTime() - before < 200, `${what}: ${processorTime() - before} ms of the processor`);
  }
  const whole = await readImage(jpeg.slice());
  for (const repeated of [segment(0xc4, codes), segment(0xfe, new Array(60_000).fill(0))]) {
    assertEquals((await readImage(flooded(repeated, 300))).data, whole.data);
  }
});
