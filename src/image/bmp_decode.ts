// BMP pixels: palettes, 16 to 32 bits a pixel, bit fields and run lengths (Microsoft's BITMAPINFOHEADER documentation).
import { DecodeError } from "./decode_error.ts";
import type { ImageHeader } from "./image_header.ts";
import { RawImage } from "./raw_image.ts";

/** How a BMP's pixels lie. */
interface Layout {
  readonly width: number;
  readonly height: number;
  /** Whether the first row is the picture's lowest. */
  readonly upward: boolean;
  readonly bits: number;
  /** 0 plain, 1 run lengths of 8 bits, 2 of 4 bits, 3 and 6 bit fields. */
  readonly compression: number;
  /** Bytes from row to row. */
  readonly stride: number;
  readonly data: Uint8Array;
}

/**
 * Decode a BMP; alpha is dropped.
 *
 * @param bytes The whole file, whose rows have been seen to be there.
 * @param header Its header.
 * @returns RGB.
 * @throws {DecodeError} If its compression is not known, or its run lengths are damaged.
 */
export function decodeBmp(bytes: Uint8Array, { width, height, bits }: ImageHeader): RawImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(14, true);
  const core = size === 12;
  const compression = core ? 0 : view.getUint32(30, true);
  const possible = [0, bits === 8 ? 1 : 0, bits === 4 ? 2 : 0, bits >= 16 && bits !== 24 ? 3 : 0];
  if (!possible.includes(compression)) {
    throw new DecodeError(`its compression ${compression} with ${bits} bits is not known`);
  }
  const layout: Layout = {
    width,
    height,
    upward: core || view.getInt32(22, true) > 0,
    bits,
    compression,
    stride: Math.ceil(width * bits / 32) * 4,
    data: bytes.subarray(view.getUint32(10, true)),
  };
  const pixels = new Uint8Array(width * height * 3);
  if (bits <= 8) {
    const step = core ? 3 : 4;
    const palette = bytes.subarray(14 + size, 14 + size + step * (1 << bits));
    const indices = compression === 0 ? plainIndices(layout) : runIndices(layout);
    indices.forEach((index, i) => {
      for (let c = 0; c < 3; c++) pixels[3 * i + c] = palette[step * index + 2 - c] ?? 0; // blue comes first
    });
  } else direct(layout, compression === 3 ? fields(view, 54) : undefined, pixels);
  return new RawImage(pixels, width, height, 3);
}

/** The place in the data of a row of the picture. */
function rowAt({ upward, height, stride }: Layout, y: number): number {
  return (upward ? height - 1 - y : y) * stride;
}

function plainIndices(layout: Layout): Uint8Array {
  const { width, height, bits, data } = layout;
  const indices = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = rowAt(layout, y);
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      indices[to++] = data[row + (bit >> 3)] >> (8 - bits - (bit & 7)) & ((1 << bits) - 1);
    }
  }
  return indices;
}

/** Undo run lengths: a count and a value, or zero and a command or a count of single values. */
function runIndices({ width, height, upward, bits, data }: Layout): Uint8Array {
  const indices = new Uint8Array(width * height);
  const put = (x: number, y: number, value: number): void => {
    if (x < width && y < height) indices[(upward ? height - 1 - y : y) * width + x] = value;
  };
  /** The value at place `i` of bytes that hold one or two of them. */
  const value = (at: number, i: number): number =>
    bits === 8 ? data[at + i] : data[at + (i >> 1)] >> (i & 1 ? 0 : 4) & 15;
  let x = 0, y = 0;
  for (let at = 0; at + 1 < data.length;) {
    const [count, second] = [data[at], data[at + 1]];
    at += 2;
    if (count > 0) { for (let i = 0; i < count; i++) put(x++, y, bits === 8 ? second : value(at - 1, i & 1)); }
    else if (second === 0) [x, y] = [0, y + 1];
    else if (second === 1) return indices;
    else if (second === 2) {
      [x, y] = [x + data[at], y + data[at + 1]];
      at += 2;
    } else {
      const length = Math.ceil(second * bits / 8);
      if (at + length > data.length) break;
      for (let i = 0; i < second; i++) put(x++, y, value(at, i));
      at += length + length % 2;
    }
  }
  throw new DecodeError("its run lengths end before the picture does");
}

/** Where a channel's bits lie in a pixel. */
interface Field {
  readonly shift: number;
  readonly most: number;
}

function field(mask: number): Field {
  const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
  return { shift, most: mask >>> shift };
}

function fields(view: DataView, at: number): Field[] {
  return [0, 4, 8].map((offset) => field(view.getUint32(at + offset, true)));
}

/** Pixels that hold their colour themselves: 16 bits are 5-5-5 unless there are fields, 24 and 32 are whole bytes. */
function direct(layout: Layout, given: readonly Field[] | undefined, pixels: Uint8Array): void {
  const { width, height, bits, data } = layout;
  const channels = given ?? (bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff]).map(field);
  const step = bits >> 3;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, at = rowAt(layout, y); x < width; x++, at += step) {
      let pixel = 0;
      for (let i = 0; i < step; i++) pixel |= data[at + i] << 8 * i;
      for (const { shift, most } of channels) {
        const value = (pixel >>> shift) & most;
        pixels[to++] = most === 255 ? value : most === 0 ? 0 : Math.trunc(value * 255 / most);
      }
    }
  }
}
