// Pictures of each format with bytes changed at random, small ones that claim to be as large as any, and JPEGs that are mostly
// tables: read or refused, at a bounded cost.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { FormatError, LimnerError, readImage } from "../../mod.ts";
import { effort } from "../effort.ts";
import { memory, processorTime } from "../process_cost.ts";
import { mutationsOf, pictures, writeChecksums } from "./mutated_pictures.ts";

const folder = new URL("../fixtures/images/", import.meta.url);
const jpeg = Deno.readFileSync(new URL("formats/optimised.jpg", folder));

for (const [format, originals] of pictures) {
  Deno.test(`a mutated ${format} is read or refused, soon and in bounded memory`, async () => {
    for (const [, bytes] of originals) await readImage(bytes.slice()); // the decoders are loaded
    let refused = 0;
    const tries = effort(100, 100_000);
    const mutations = mutationsOf(format);
    for (let n = 0; n < tries; n++) {
      const { name, bytes } = mutations.next().value;
      const before = [processorTime(), memory().resident];
      const error = await readImage(bytes).then(() => undefined, (error) => error);
      const [taken, grown] = [processorTime() - before[0], memory().resident - before[1]];
      const label = `mutation ${n}, of ${name}`;
      assert(taken < 1000 && grown < 300e6, `${label}: ${taken} ms of the processor, ${grown} bytes`);
      if (error === undefined) continue;
      assertInstanceOf(error, LimnerError, `${label}: ${error?.stack}`);
      refused++;
    }
    assert(refused > tries / 50, `${refused} of ${tries} were refused`);
  });
}

/** Makes a small picture say that it has 8000 x 8000 pixels. */
type Enlarge = (bytes: Uint8Array<ArrayBuffer>, view: DataView) => void;
const side = 8000; // squared, limits.maxPixels

const enlarge: Readonly<Record<string, Enlarge>> = {
  png: (bytes, view) => {
    view.setUint32(16, side);
    view.setUint32(20, side);
    writeChecksums(bytes);
  },
  jpeg: (bytes, view) => {
    for (let at = 2; at < bytes.length; at += 2 + view.getUint16(at + 2)) {
      if (![0xffc0, 0xffc1, 0xffc2].includes(view.getUint16(at))) continue;
      view.setUint16(at + 5, side);
      view.setUint16(at + 7, side);
      return;
    }
  },
  gif: (bytes, view) => {
    const table = bytes[10] & 0x80 ? 3 << ((bytes[10] & 7) + 1) : 0;
    const frame = bytes.indexOf(0x2c, 13 + table);
    for (const at of [6, frame + 5]) view.setUint32(at, side | side << 16, true);
  },
  bmp: (_, view) => {
    view.setInt32(18, side, true);
    view.setInt32(22, side, true);
  },
  tiff: (bytes, view) => {
    const little = bytes[0] === 0x49;
    const directory = view.getUint32(4, little);
    for (let n = view.getUint16(directory, little), at = directory + 2; n > 0; n--, at += 12) {
      if (![256, 257, 278].includes(view.getUint16(at, little))) continue; // width, height, rows of a strip
      if (view.getUint16(at + 2, little) === 3) view.setUint16(at + 8, side, little);
      else view.setUint32(at + 8, side, little);
    }
  },
};

for (const [format, change] of Object.entries(enlarge)) {
  Deno.test(`a small ${format} that claims as many pixels as are read takes bounded memory`, async () => {
    const originals = pictures.get(format)!.filter(([name]) => !name.startsWith("big")); // BigTIFF
    for (const [, bytes] of originals) await readImage(bytes.slice());
    for (const [name, original] of originals) {
      const bytes = original.slice();
      change(bytes, new DataView(bytes.buffer));
      const before = [processorTime(), memory().resident];
      const error = await readImage(bytes).catch((error) => error);
      assertInstanceOf(error, FormatError, `${name}: ${error?.width} x ${error?.height}`);
      assert(
        error.message.includes("8000 x 8000") || /too few|the picture|from byte/.test(error.message),
        error.message,
      );
      const [taken, grown] = [processorTime() - before[0], memory().resident - before[1]];
      assert(taken < 1000 && grown < 300e6, `${name}: ${taken} ms of the processor, ${grown} bytes`);
    }
  });
}

Deno.test("a PNG of hundreds of thousands of texts is read within a second", async () => {
  const png = pictures.get("png")!.find(([name]) => name === "rgb.png")![1];
  const whole = await readImage(png.slice());
  const bodies = { tEXt: "", zTXt: "Raw profile type exif\0\0x", iTXt: "XML:com.adobe.xmp\0\u0001\0\0\0x" };
  for (const [kind, text] of Object.entries(bodies)) {
    const body = new TextEncoder().encode(text);
    const chunk = new Uint8Array(12 + body.length);
    new DataView(chunk.buffer).setUint32(0, body.length);
    chunk.set(new TextEncoder().encode(kind), 4);
    chunk.set(body, 8);
    const [count, header] = [200_000, 33];
    const file = new Uint8Array(png.length + count * chunk.length);
    file.set(png.subarray(0, header));
    for (let n = 0; n < count; n++) file.set(chunk, header + n * chunk.length);
    file.set(png.subarray(header), header + count * chunk.length);
    writeChecksums(file);
    const before = processorTime();
    assertEquals((await readImage(file)).data, whole.data);
    assert(processorTime() - before < 1000, `${kind}: ${processorTime() - before} ms of the processor`);
  }
});

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
