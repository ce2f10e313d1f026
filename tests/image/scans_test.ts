// TIFF, AVIF and PNM: readImage() against Pillow's pixels (fixtures/images/scans, made by scripts/make_scans.py), pages, and
// what is said of files that are damaged, too large or of another kind.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FormatError, OptionError } from "../../src/errors/mod.ts";
import { TiffFile } from "../../src/image/formats/tiff/directory.ts";
import { type ImageSource, RawImage, readImage } from "../../src/image/mod.ts";
import { orient } from "../../src/image/processor/transforms.ts";
import { compare, readStored } from "./golden.ts";

const folder = new URL("../fixtures/images/scans/", import.meta.url);
const file = (name: string): Uint8Array<ArrayBuffer> => Deno.readFileSync(new URL(name, folder));

/** By how many levels a sample may differ from Pillow's: a lossy library rounds YCbCr its own way. */
function tolerance(name: string): number {
  if (name === "ycbcr.tif") return 1;
  return name.endsWith(".avif") ? 2 : 0;
}

for (const [name, { shape, data }] of readStored(new URL("decoded.safetensors", folder))) {
  Deno.test(`readImage() decodes scans/${name} as Pillow does`, async () => {
    const [picture, page] = name.split("#");
    const image = (await readImage(new URL(picture, folder), { page: page ? Number(page) : undefined })).toRgb();
    assertEquals([image.height, image.width, 3], shape);
    const { worst, share } = compare(image.data, data);
    assert(worst <= tolerance(name), `one sample is ${worst} off, ${share * 100} % are equal`);
  });
}

const channels: Readonly<Record<string, number>> = {
  "bits_group4.tif": 1,
  "grey_jpeg.tif": 1,
  "grey16.tif": 1,
  "grey_alpha.tif": 2,
  "palette_lzw.tif": 3,
  "cmyk_raw.tif": 3,
  "jpeg_tiles.tif": 3,
  "rgb_meaningless.tif": 3,
  "rgb_alpha.tif": 4,
  "grey.avif": 1,
  "full_colours.avif": 3,
  "alpha.avif": 4,
  "bits.pbm": 1,
  "deep.ppm": 3,
};
Deno.test("readImage() keeps a scan's channels", async () => {
  for (const [name, count] of Object.entries(channels)) {
    assertEquals((await readImage(file(name))).channels, count, name);
  }
});

Deno.test("readImage() reads the page that is asked for, and says how many there are", async () => {
  const pages = file("pages.tif");
  assertEquals(await readImage(pages), await readImage(pages, { page: 1 }));
  assertEquals((await readImage(pages, { page: 3 })).width, 29);
  const { message } = await assertRejects(() => readImage(pages, { page: 4, name: "a.tif" }), FormatError);
  assertEquals(message, "Cannot read TIFF a.tif: page 4 was asked for, and it has 3");
  const other = await assertRejects(() => readImage(file("bits.pbm"), { page: 2, name: "a.pbm" }), FormatError);
  assertStringIncludes(other.message, "it is a PNM, of which the first picture is read");
  for (const page of [0, 1.5, -1]) {
    await assertRejects(() => readImage(pages, { page }), OptionError, `page is ${page}`);
  }
});

/** A file whose first directory is a copy at its end, with an orientation. */
function withOrientation(name: string, orientation: number): Uint8Array {
  const bytes = file(name);
  const { littleEndian, big, first } = TiffFile.open(bytes)!;
  const [counted, entry, place] = big ? [8, 20, 8] : [2, 12, 4];
  const put = (view: DataView, at: number, size: number, value: number): void => {
    if (size === 8) view.setBigUint64(at, BigInt(value), littleEndian);
    else if (size === 4) view.setUint32(at, value, littleEndian);
    else view.setUint16(at, value, littleEndian);
  };
  const view = new DataView(bytes.buffer);
  const count = big ? Number(view.getBigUint64(first, littleEndian)) : view.getUint16(first, littleEndian);
  const entries = Array.from({ length: count }, (_, i) => bytes.subarray(first + counted + i * entry).slice(0, entry));
  const tagOf = (one: Uint8Array) => new DataView(one.buffer).getUint16(0, littleEndian);
  const own = new DataView(new ArrayBuffer(entry));
  put(own, 0, 2, 274);
  put(own, 2, 2, 3); // a short
  put(own, 4, big ? 8 : 4, 1);
  put(own, big ? 12 : 8, 2, orientation);
  const all = [...entries.filter((one) => tagOf(one) !== 274), new Uint8Array(own.buffer)];
  const start = bytes.length + bytes.length % 2;
  const result = new Uint8Array(start + counted + all.length * entry + place);
  result.set(bytes);
  put(new DataView(result.buffer), place, place, start);
  put(new DataView(result.buffer), start, counted, all.length);
  all.sort((a, b) => tagOf(a) - tagOf(b)).forEach((one, i) => result.set(one, start + counted + i * entry));
  return result;
}

Deno.test("readImage() turns a scan once, however it is compressed", async () => {
  const names = [
    "bits_group3.tif",
    "bits_group4.tif",
    "rgb_jpeg.tif",
    "jpeg_444_strips.tif",
    "big_jpeg.tif",
    "ycbcr.tif",
  ];
  for (const name of [...names, "rgb_tiff_lzw.tif", "big.tif", "grey16_big_endian.tif"]) {
    const stored = await readImage(file(name));
    for (let orientation = 1; orientation <= 8; orientation++) {
      const image = await readImage(withOrientation(name, orientation) as ImageSource);
      assertEquals(image, orient(stored, orientation), `${name}, ${orientation}`);
    }
  }
});

/** The place of a tag's entry in a little-endian TIFF's first directory. */
function entryOf(bytes: Uint8Array, tag: number): number {
  const view = new DataView(bytes.buffer);
  for (let at = view.getUint32(4, true) + 2;; at += 12) if (view.getUint16(at, true) === tag) return at;
}

/** A file with values of its first directory replaced. */
function withTags(name: string, values: Readonly<Record<number, number>>): Uint8Array {
  const bytes = file(name);
  for (const [tag, value] of Object.entries(values)) {
    new DataView(bytes.buffer).setUint32(entryOf(bytes, Number(tag)) + 8, value, true);
  }
  return bytes;
}

function withText(name: string, from: string, to: string): Uint8Array {
  const bytes = file(name);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(from);
  bytes.set(new TextEncoder().encode(to), at);
  return bytes;
}

/** An AVIF whose size (ispe) is another. */
function largeAvif(): Uint8Array {
  const bytes = file("grey.avif");
  const at = new TextDecoder("latin1").decode(bytes).indexOf("ispe");
  new DataView(bytes.buffer).setUint32(at + 8, 100_000);
  return bytes;
}

function circle(): Uint8Array {
  const bytes = file("pages.tif");
  const view = new DataView(bytes.buffer);
  const first = view.getUint32(4, true);
  view.setUint32(first + 2 + 12 * view.getUint16(first, true), first, true);
  return bytes;
}

const wrong: readonly [what: string, bytes: () => Uint8Array, said: string, page?: number][] = [
  ["a TIFF that is too wide", () => withTags("bits_group4.tif", { 256: 60_000 }), "60000 x 29, 1740000 pixels"],
  ["a TIFF without rows", () => withTags("rgb_raw.tif", { 257: 0 }), "37 x 0, and both sides must be positive"],
  ["a TIFF whose strip is elsewhere", () => withTags("bits_group4.tif", { 273: 1 << 20 }), "from byte 1048576 on"],
  ["a TIFF without a directory", () => file("rgb_raw.tif").slice(0, 8), "and its directory 1 is at byte"],
  ["a TIFF whose directories go round", circle, "its directory 2 is the same as an earlier one", 5],
  ["a TIFF by Zstandard", () => withTags("rgb_tiff_lzw.tif", { 259: 50000 }), "by method 50000 (Zstandard)"],
  ["a TIFF in CIE L*a*b*", () => withTags("rgb_raw.tif", { 262: 8 }), "of kind 8 (CIE L*a*b*)"],
  ["a TIFF of 3 bits", () => withTags("grey4.tif", { 258: 3 }), "3-bit uint"],
  [
    "a TIFF with a huge tile",
    () => withTags("bits_tiles.tif", { 322: 65520, 323: 65520 }),
    "tiles are of 65520 x 65520, expected multiples",
  ],
  ["a TIFF whose tiles have no width", () => withTags("bits_tiles.tif", { 322: 0 }), "tiles are of 0 x 16"],
  ["an AVIF that is too wide", largeAvif, "100000 x 64, 6400000 pixels"],
  ["a PPM that is too wide", () => withText("bytes.ppm", "37 29", "99 99"), "its rows take"],
  ["a PPM without white", () => withText("bytes.ppm", "255", "0  "), "its white is 0"],
  ["a PGM in words", () => withText("text.pgm", "levels\n", "level\nx"), "its data is damaged"],
];
for (const [what, bytes, said, page] of wrong) {
  Deno.test(`readImage() says in a line what is wrong with ${what}`, async () => {
    const { message } = await assertRejects(
      () => readImage(bytes() as ImageSource, { name: "a.tif", maxPixels: 1e6, page }),
      FormatError,
    );
    assertStringIncludes(message, said);
    assert(!message.includes("\n") && message.includes("a.tif") && message.length < 250, message);
  });
}

Deno.test("readImage() answers a scan that is cut anywhere with an error, not with a part of the picture", async () => {
  for (const name of ["rgb_raw.tif", "big_jpeg.tif", "grey.avif", "bytes.ppm", "text.pbm"]) {
    const whole = file(name);
    const step = Math.ceil(whole.length / 60);
    for (let length = 0; length < whole.length - 1; length += step) {
      await assertRejects(() => readImage(whole.subarray(0, length)), FormatError, "", `${name}, ${length}`);
    }
  }
});

Deno.test("readImage() goes on decoding scans after damaged ones", async () => {
  let state = 1;
  const random = (below: number): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) % below;
  let refused = 0;
  for (const name of ["bits_group4.tif", "rgb_jpeg.tif", "rgb_tiff_lzw.tif", "half_colours.avif"]) {
    const whole = file(name);
    const expected = await readImage(whole);
    for (let round = 0; round < 6; round++) {
      const bytes = whole.slice();
      for (let i = 0; i <= round; i++) bytes[random(bytes.length)] = random(256);
      const result = await readImage(bytes, { maxPixels: 1e6 }).catch((error: Error) => error);
      if (result instanceof RawImage) continue;
      assert(result instanceof FormatError, `${result}`);
      refused++;
    }
    assertEquals(await readImage(whole), expected);
  }
  assert(refused > 6, `${refused} were refused`);
});

Deno.test("readImage() reads AVIF by a brand that it is compatible with, and leaves HEIC alone", async () => {
  const bytes = file("grey.avif");
  bytes.set(new TextEncoder().encode("mif1"), 8);
  assertEquals(await readImage(bytes), await readImage(file("grey.avif")));
  const heic = new TextEncoder().encode("\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + " ".repeat(40));
  await assertRejects(() => readImage(heic), FormatError, "it is a file of kind HEIC");
});
