// Resizing exactly as Pillow 13 does it. Think of each axis by itself: an output sample is a weighted sum of the source samples
// under a filter that is centred on it, and widened by the scale when a picture is made smaller. So there are two passes, one
// along the rows and one along the columns, in 22-bit fixed point, with samples rounded to 8 bits between them.
// The source is Pillow's src/libImaging/Resample.c; its nearest filter is an affine transform (Geometry.c).
import { OptionError } from "../../errors/mod.ts";
import { precision, resampleColumns, resampleRgbRows, type Taps } from "./_resample_kernel.ts";
import { RawImage } from "../raw_image.ts";

/** Pillow's resampling codes: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming. */
export type Resample = 0 | 1 | 2 | 3 | 4 | 5;

/** A region of a picture in pixels, whose sides need not be whole numbers: `[left, top, right, bottom]`. */
export type Box = readonly [number, number, number, number];

interface Filter {
  readonly support: number;
  weigh(x: number): number;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  return Math.sin(x * Math.PI) / (x * Math.PI);
}

function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function hamming(x: number): number {
  const d = Math.abs(x);
  if (d === 0) return 1;
  if (d >= 1) return 0;
  // Pillow writes the two constants in float32.
  return Math.sin(d * Math.PI) / (d * Math.PI) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(d * Math.PI));
}

const filters: Readonly<Record<number, Filter>> = {
  1: { support: 3, weigh: (x) => x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0 },
  2: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  3: { support: 2, weigh: cubic },
  4: { support: 0.5, weigh: (x) => x > -0.5 && x <= 0.5 ? 1 : 0 },
  5: { support: 1, weigh: hamming },
};

function taps(filter: Filter, inSize: number, from: number, to: number, outSize: number): Taps {
  const scale = Math.fround(to - from) / outSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * size);
  const row = new Float64Array(size);
  for (let out = 0; out < outSize; out++) {
    const center = from + (out + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(inSize, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += row[i] = filter.weigh((i + start - center + 0.5) * (1 / filterScale));
    for (let i = 0; i < n; i++) {
      const fixed = (sum === 0 ? row[i] : row[i] / sum) * (1 << precision);
      weights[out * size + i] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[out] = start;
    count[out] = n;
  }
  return { size, first, count, weights };
}

/**
 * Resize a picture as Pillow's `Image.resize` does, bit for bit.
 *
 * @param image The picture; alpha is treated as any channel, so convert to RGB first where it matters.
 * @param width The new width, in pixels.
 * @param height The new height, in pixels.
 * @param resample Pillow's code of the filter.
 * @param box The region to resize.
 * @default box the whole picture
 * @returns A picture of `width` x `height` with the same channels; `image` itself where nothing changes.
 * @throws {OptionError} If the filter is unknown or the size is not made of positive whole numbers.
 */
export function resize(image: RawImage, width: number, height: number, resample: Resample, box?: Box): RawImage {
  if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0)) {
    throw new OptionError(
      `Cannot resize a picture to ${width} x ${height}: both sides must be positive whole numbers`,
    );
  }
  // Pillow holds the region in float32.
  const [left, top, right, bottom] = (box ?? [0, 0, image.width, image.height]).map(Math.fround);
  const whole = left === 0 && top === 0 && right === image.width && bottom === image.height;
  if (whole && width === image.width && height === image.height) return image;
  if (resample === 0) return nearest(image, width, height, [left, top, right, bottom]);
  const filter = filters[resample];
  if (!filter) {
    throw new OptionError(
      `Cannot resize with filter ${resample}: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box and 5 Hamming exist`,
    );
  }
  const columns = taps(filter, image.width, left, right, width);
  const rows = taps(filter, image.height, top, bottom, height);
  const changesWidth = width !== image.width || left !== 0 || right !== width;
  const changesHeight = height !== image.height || top !== 0 || bottom !== height;
  if (!changesWidth) return resampleHeight(image, rows, height);
  if (!changesHeight) return resampleRows(image, columns, width, 0, height);
  // As in Pillow: the order of the passes matters because of the rounding between them.
  if (height < image.height && image.height - height > 2 * (image.width - width)) {
    return resampleRows(resampleHeight(image, rows, height), columns, width, 0, height);
  }
  const start = rows.first[0]; // only the rows that the second pass reads
  const end = rows.first[height - 1] + rows.count[height - 1];
  for (let y = 0; y < height; y++) rows.first[y] -= start;
  return resampleHeight(resampleRows(image, columns, width, start, end), rows, height);
}

/** A height and a width, in pixels. */
export interface Rectangle {
  readonly height: number;
  readonly width: number;
}

function resampleRows(image: RawImage, taps: Taps, width: number, start: number, end: number): RawImage {
  const { data: source, channels } = image;
  const height = end - start;
  if (channels === 3) {
    return new RawImage(resampleRgbRows(source, image.width, taps, width, start, end), width, height, channels);
  }
  const data = new Uint8ClampedArray(height * width * channels);
  for (let y = start, to = 0; y < end; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (precision - 1);
        const from = (y * image.width + taps.first[x]) * channels + c;
        for (let i = 0; i < taps.count[x]; i++) sum += source[from + i * channels] * taps.weights[x * taps.size + i];
        data[to++] = sum >> precision;
      }
    }
  }
  return new RawImage(new Uint8Array(data.buffer), width, height, channels);
}

function resampleHeight(image: RawImage, taps: Taps, height: number): RawImage {
  const { data, width, channels } = image;
  return new RawImage(resampleColumns(data, width * channels, taps, height), width, height, channels);
}

function nearest(image: RawImage, width: number, height: number, [left, top, right, bottom]: Box): RawImage {
  const { data: source, channels } = image;
  const columns = nearestOffsets(left, right, width, image.width, channels);
  const rows = nearestOffsets(top, bottom, height, image.height, image.width * channels);
  const data = new Uint8Array(width * height * channels);
  // RGB is copied by words of four bytes, as far as four bytes can be read for each pixel.
  let whole = channels === 3 && width % 4 === 0 ? height : 0;
  while (whole > 0 && rows[whole - 1] + columns[width - 1] + 4 > source.length) whole--;
  if (whole > 0) copyRgb(source, rows.subarray(0, whole), columns, data);
  for (let y = whole, to = whole * width * channels; y < height; y++) {
    for (const column of columns) {
      for (let c = 0; c < channels; c++) data[to++] = source[rows[y] + column + c];
    }
  }
  return new RawImage(data, width, height, channels);
}

/** The offset of the nearest source pixel of each output pixel along an axis, whose pixels are `size` samples apart. */
function nearestOffsets(from: number, to: number, outSize: number, inSize: number, size: number): Int32Array {
  const step = Math.fround(to - from) / outSize;
  const offsets = new Int32Array(outSize);
  // Pillow adds the step up instead of multiplying; the rounding is part of its result.
  for (let i = 0, at = from + step * 0.5; i < outSize; i++, at += step) {
    offsets[i] = Math.min(inSize - 1, Math.floor(at)) * size;
  }
  return offsets;
}

/** Copy RGB pixels, four of which are three words; V8 optimises a small function of its own soonest. */
function copyRgb(source: Uint8Array, rows: Int32Array, columns: Int32Array, data: Uint8Array): void {
  const input = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const words = new Int32Array(data.buffer);
  for (let y = 0, to = 0; y < rows.length; y++) {
    const row = rows[y];
    for (let x = 0; x < columns.length; x += 4, to += 3) {
      const a = input.getInt32(row + columns[x], true), b = input.getInt32(row + columns[x + 1], true);
      const c = input.getInt32(row + columns[x + 2], true), d = input.getInt32(row + columns[x + 3], true);
      words[to] = (a & 0xffffff) | b << 24;
      words[to + 1] = (b >>> 8 & 0xffff) | c << 16;
      words[to + 2] = (c >>> 16 & 0xff) | d << 8;
    }
  }
}
