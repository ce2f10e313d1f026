// A decoded picture: 8-bit samples, row-major, channels interleaved. Its only computations are those of RGB and grey.
import { ShapeError } from "../errors/mod.ts";

/** The number of samples a pixel has: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
export type Channels = 1 | 2 | 3 | 4;

/**
 * A decoded picture of 8-bit samples, row by row from the top left, a pixel's channels together.
 *
 * @example
 * ```ts
 * import { RawImage } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const grey = new RawImage(new Uint8Array([0, 255]), 2, 1, 1);
 * assertEquals([...grey.toRgb().data], [0, 0, 0, 255, 255, 255]);
 * ```
 */
export class RawImage {
  /**
   * Make a picture of its pixels.
   *
   * @param data The samples, shape [height, width, channels].
   * @param width Pixels per row.
   * @param height Rows.
   * @param channels Samples per pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
   * @throws {ShapeError} If a side is not a positive whole number, or the data has another length.
   */
  constructor(
    readonly data: Uint8Array,
    readonly width: number,
    readonly height: number,
    readonly channels: Channels,
  ) {
    if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0)) {
      throw new ShapeError(
        `Cannot make a picture of ${width} x ${height}: both sides must be positive whole numbers`,
      );
    }
    if (![1, 2, 3, 4].includes(channels)) {
      throw new ShapeError(`Cannot make a picture of ${channels} channels: 1, 2, 3 and 4 are possible`);
    }
    if (data.length !== width * height * channels) {
      throw new ShapeError(
        `Cannot make a picture of ${width} x ${height} with ${channels} channels: the data has ${data.length} ` +
          `samples, and ${width * height * channels} were expected`,
      );
    }
  }

  /**
   * The same picture in RGB: grey is repeated; alpha is dropped, as Pillow's `convert("RGB")` does, or blended with white.
   *
   * @param onWhite Whether transparent pixels are blended with white, as in Transformers' `convert_to_rgb`.
   * @default onWhite false
   * @returns A picture of 3 channels; this one if it has them already.
   */
  toRgb(onWhite = false): RawImage {
    const { data, width, height, channels } = this;
    if (channels === 3) return this;
    const rgb = new Uint8Array(width * height * 3);
    const grey = channels < 3;
    if (onWhite && channels !== 1) return new RawImage(blendWithWhite(data, channels, rgb), width, height, 3);
    for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
      rgb[to] = data[from];
      rgb[to + 1] = data[grey ? from : from + 1];
      rgb[to + 2] = data[grey ? from : from + 2];
    }
    return new RawImage(rgb, width, height, 3);
  }

  /**
   * The same picture in grey, as Pillow's `convert("L")`: ITU-R 601-2 luma in 16-bit fixed point; alpha is dropped.
   *
   * @returns A picture of 1 channel; this one if it has no other.
   */
  toGrey(): RawImage {
    const { data, width, height, channels } = this;
    if (channels === 1) return this;
    const grey = new Uint8Array(width * height);
    for (let from = 0, to = 0; to < grey.length; from += channels, to++) {
      grey[to] = channels === 2
        ? data[from]
        : (data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000) >> 16;
    }
    return new RawImage(grey, width, height, 1);
  }
}

/** Pillow's `alpha_composite` over opaque white: 7 extra bits, and divisions by 255 rounded. */
function blendWithWhite(data: Uint8Array, channels: 2 | 4, rgb: Uint8Array): Uint8Array {
  const step = channels === 2 ? 0 : 1;
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    const alpha = data[from + channels - 1];
    const white = 255 * (255 - alpha);
    for (let c = 0; c < 3; c++) {
      const sum = (data[from + c * step] * alpha + white + 0x80) << 7;
      rgb[to + c] = ((sum >> 8) + sum) >> 15;
    }
  }
  return rgb;
}
