// Resizing, cropping and reducing against Pillow, and the assembler under the kernels.
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { OptionError } from "../../src/errors/mod.ts";
import { type Channels, RawImage, type Resample, resize } from "../../src/image/mod.ts";
import { centerCrop, crop, resizeWithGap } from "../../src/image/processor/transforms.ts";
import { compare, readStored } from "./golden.ts";

const arrays = readStored(new URL("../fixtures/images/resample.safetensors", import.meta.url));

function image({ shape: [height, width, channels], data }: { shape: number[]; data: ArrayLike<number> }): RawImage {
  return new RawImage(data as Uint8Array, width, height, channels as Channels);
}

Deno.test("resize() equals Pillow on random pictures, sizes and filters, in one step and in two", () => {
  let cases = 0;
  for (const [key, input] of arrays) {
    if (!key.endsWith(".in")) continue;
    const name = key.slice(0, -3);
    const [, filter, gap] = name.split("_").map(Number);
    const expected = arrays.get(`${name}.out`)!;
    const [height, width] = expected.shape;
    const actual = gap > 0
      ? resizeWithGap(image(input), width, height, filter as Resample, gap)
      : resize(image(input), width, height, filter as Resample);
    const { worst, share } = compare(actual.data, expected.data);
    assertEquals(worst, 0, `case ${name}, ${input.shape} to ${expected.shape}: ${share * 100} % equal`);
    cases++;
  }
  assertEquals(cases, 120);
});

Deno.test("resize() treats each channel alike, however many there are", () => {
  const source = image(arrays.get("0_" + [...arrays.keys()][0].split("_").slice(1).join("_"))!);
  const grey = new RawImage(source.data.filter((_, i) => i % 3 === 0), source.width, source.height, 1);
  const four = new RawImage(
    Uint8Array.from({ length: grey.data.length * 4 }, (_, i) => grey.data[i >> 2]),
    grey.width,
    grey.height,
    4,
  );
  for (const filter of [0, 1, 2, 3, 4, 5] as const) {
    const expected = resize(grey, 13, 9, filter).data;
    const actual = resize(four, 13, 9, filter).data;
    for (let c = 0; c < 4; c++) assertEquals(actual.filter((_, i) => i % 4 === c), expected);
    assertEquals(resize(source, 13, 9, filter).data.filter((_, i) => i % 3 === 0), expected);
  }
});

Deno.test("resize() to the nearest pixel copies whole pixels, of any channels and to the last one", () => {
  for (const channels of [1, 2, 3, 4] as const) {
    for (const [width, height] of [[1, 1], [1, 5], [2, 3], [5, 1], [7, 4], [4, 3], [8, 1]]) {
      const picture = new RawImage(
        Uint8Array.from({ length: width * height * channels }, (_, i) => i + 1),
        width,
        height,
        channels,
      );
      const larger = resize(picture, width * 3, height * 2, 0);
      const expected = Uint8Array.from({ length: larger.data.length }, (_, i) => {
        const [x, y] = [Math.floor(i / channels) % (width * 3), Math.floor(i / channels / (width * 3))];
        return 1 + ((y >> 1) * width + Math.floor(x / 3)) * channels + i % channels;
      });
      assertEquals(larger.data, expected, `${width} x ${height} x ${channels}`);
    }
  }
});

Deno.test("resize() of large pictures goes part by part without a seam", () => {
  // Wider and higher than one part of the kernels' memory; a picture of columns keeps its columns.
  const wide = new RawImage(
    Uint8Array.from({ length: 3000 * 700 * 3 }, (_, i) => Math.floor(i / 3) % 3000 >> 4),
    3000,
    700,
    3,
  );
  const narrow = resize(wide, 375, 700, 4); // 8 pixels to one
  for (let y = 0; y < 700; y += 233) {
    for (let x = 0; x < 375; x++) assertEquals(narrow.data[(y * 375 + x) * 3], (x >> 1) & 255);
  }
  const low = resize(wide, 3000, 100, 4);
  assertEquals(low.data, wide.data.slice(0, 3000 * 100 * 3));
});

Deno.test("resize() gives the picture itself where nothing changes, and refuses sizes and filters that do not exist", () => {
  const picture = new RawImage(new Uint8Array(12), 2, 2, 3);
  assertStrictEquals(resize(picture, 2, 2, 3), picture);
  assertThrows(() => resize(picture, 0, 2, 2), OptionError, "0 x 2");
  assertThrows(() => resize(picture, 1.5, 2, 2), OptionError);
  assertThrows(() => resize(picture, 1, 2, 6 as Resample), OptionError, "filter 6");
});

Deno.test("crop() fills what lies outside with zeros", () => {
  const picture = new RawImage(new Uint8Array([1, 2, 3, 4]), 2, 2, 1);
  assertEquals([...crop(picture, -1, 1, 3, 2).data], [0, 3, 4, 0, 0, 0]);
  assertEquals([...crop(picture, 5, 5, 1, 1).data], [0]);
  assertEquals([...centerCrop(picture, 1, 3).data], [0, 1, 3]);
  assert(crop(picture, 0, 0, 2, 2) === picture);
});
