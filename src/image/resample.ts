// Resizing exactly as Pillow 13 does it: antialiased, two passes, 22-bit fixed point, rounded to 8 bits between them.
// The source is Pillow's src/libImaging/Resample.c; its nearest filter is an affine transform (Geometry.c).
import { OptionError } from "../errors.ts";
import { RawImage } from "./raw_image.ts";

/** Pillow's resampling codes: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming. */
export type Resample = 0 | 1 | 2 | 3 | 4 | 5;

/** A region of a picture in pixels, which may lie between them: `[left, top, right, bottom]`. */
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

const precision = 22; // bits after the point: 32 - 8 (a sample) - 2 (overshoot)

/** The source pixels that make each output pixel of an axis, with fixed-point weights. */
interface Taps {
  readonly size: number; // weights held for each output pixel
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array; // [output, size]
}

function taps(filter: Filter, inSize: number, from: number, to: number, outSize: number): Taps {
  const scale = (to - from) / outSize;
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
      `Could not resize a picture to ${width} x ${height}: both sides must be positive whole numbers`,
    );
  }
  const [left, top, right, bottom] = box ?? [0, 0, image.width, image.height];
  const whole = left === 0 && top === 0 && right === image.width && bottom === image.height;
  if (whole && width === image.width && height === image.height) return image;
  if (resample === 0) return nearest(image, width, height, [left, top, right, bottom]);
  const filter = filters[resample];
  if (!filter) {
    throw new OptionError(
      `Could not resize with filter ${resample}: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box and 5 Hamming exist`,
    );
  }
  const columns = taps(filter, image.width, left, right, width);
  const rows = taps(filter, image.height, top, bottom, height);
  const narrow = width !== image.width || left !== 0 || right !== width;
  const shorten = height !== image.height || top !== 0 || bottom !== height;
  if (!narrow) return resampleColumns(image, rows, height);
  if (!shorten) return resampleRows(image, columns, width, 0, height);
  // Which pass comes first shows in the rounding between them.
  if (height < image.height && image.height - height > 2 * (image.width - width)) {
    return resampleRows(resampleColumns(image, rows, height), columns, width, 0, height);
  }
  const start = rows.first[0]; // only the rows that the second pass reads
  const end = rows.first[height - 1] + rows.count[height - 1];
  for (let y = 0; y < height; y++) rows.first[y] -= start;
  return resampleColumns(resampleRows(image, columns, width, start, end), rows, height);
}

const half = 1 << (precision - 1);

function clip(sum: number): number {
  const value = sum >> precision;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function resampleRows(image: RawImage, taps: Taps, width: number, start: number, end: number): RawImage {
  const { data: source, channels } = image;
  const { size, first, count, weights } = taps;
  const data = new Uint8Array((end - start) * width * channels);
  for (let y = start, to = 0; y < end; y++) {
    const row = y * image.width * channels;
    for (let x = 0; x < width; x++) {
      const stop = x * size + count[x];
      let from = row + first[x] * channels;
      if (channels === 3) {
        let r = half, g = half, b = half;
        for (let k = x * size; k < stop; k++, from += 3) {
          const weight = weights[k];
          r = (r + Math.imul(source[from], weight)) | 0;
          g = (g + Math.imul(source[from + 1], weight)) | 0;
          b = (b + Math.imul(source[from + 2], weight)) | 0;
        }
        data[to] = clip(r);
        data[to + 1] = clip(g);
        data[to + 2] = clip(b);
        to += 3;
      } else {
        for (let c = 0; c < channels; c++) {
          let sum = half;
          for (let k = x * size, at = from + c; k < stop; k++, at += channels) {
            sum = (sum + Math.imul(source[at], weights[k])) | 0;
          }
          data[to++] = clip(sum);
        }
      }
    }
  }
  return new RawImage(data, width, end - start, channels);
}

function resampleColumns(image: RawImage, taps: Taps, height: number): RawImage {
  const { data: source, width, channels } = image;
  const stride = width * channels;
  const data = new Uint8Array(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let i = 0; i < taps.count[y]; i++) {
      const weight = taps.weights[y * taps.size + i];
      const row = (taps.first[y] + i) * stride;
      for (let x = 0; x < stride; x++) sums[x] += Math.imul(source[row + x], weight);
    }
    for (let x = 0, to = y * stride; x < stride; x++) data[to + x] = clip(sums[x]);
  }
  return new RawImage(data, width, height, channels);
}

function nearest(image: RawImage, width: number, height: number, [left, top, right, bottom]: Box): RawImage {
  const { data: source, channels } = image;
  // Pillow adds the step up instead of multiplying; the rounding is part of its result.
  const pick = (from: number, to: number, outSize: number, inSize: number): Int32Array => {
    const step = (to - from) / outSize;
    const picked = new Int32Array(outSize);
    for (let i = 0, at = from + step * 0.5; i < outSize; i++, at += step) {
      picked[i] = Math.min(inSize - 1, Math.floor(at));
    }
    return picked;
  };
  const columns = pick(left, right, width, image.width);
  const rows = pick(top, bottom, height, image.height);
  const data = new Uint8Array(width * height * channels);
  let to = 0;
  for (const row of rows) {
    for (let x = 0; x < width; x++) {
      const from = (row * image.width + columns[x]) * channels;
      for (let c = 0; c < channels; c++) data[to++] = source[from + c];
    }
  }
  return new RawImage(data, width, height, channels);
}
