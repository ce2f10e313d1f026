// From the RGBA that decoders return to the channels that a picture has.
import { type Channels, RawImage } from "../raw_image.ts";

/**
 * Make a picture of some of RGBA's channels.
 *
 * @param rgba Samples, shape [height, width, 4]; samples above 255 are clipped.
 * @param channels 1 keeps red (grey), 2 red and alpha, 3 RGB, 4 all.
 */
export function selectChannels(
  rgba: Uint8Array | ImageDataArray | Uint16Array,
  width: number,
  height: number,
  channels: Channels,
): RawImage {
  const pixels = width * height;
  if (rgba.length !== 4 * pixels) throw new Error(`${rgba.length} samples are not ${width} x ${height} x 4`);
  if (channels === 4) return new RawImage(new Uint8Array(rgba), width, height, 4);
  const data = new Uint8Array(pixels * channels);
  let pixel = channels === 3 && rgba.BYTES_PER_ELEMENT === 1 ? rgbaToRgbByWords(rgba, pixels, data) : 0;
  for (let from = 4 * pixel, to = channels * pixel; pixel < pixels; pixel++, from += 4) {
    data[to++] = Math.min(255, rgba[from]);
    if (channels === 2) data[to++] = rgba[from + 3];
    else if (channels === 3) {
      data[to++] = rgba[from + 1];
      data[to++] = rgba[from + 2];
    }
  }
  return new RawImage(data, width, height, channels);
}

/**
 * Convert RGBA to RGB by words of 32 bits, four pixels at a time. The machine must be little-endian, as all are.
 *
 * @returns How many pixels were converted: as many as there are in fours, or none if the bytes are not aligned.
 */
function rgbaToRgbByWords(rgba: ArrayBufferView, pixels: number, data: Uint8Array): number {
  if (rgba.byteOffset % 4 !== 0) return 0;
  const source = new Uint32Array(rgba.buffer, rgba.byteOffset, pixels);
  const target = new Uint32Array(data.buffer, 0, data.length >> 2);
  const whole = pixels - pixels % 4;
  for (let from = 0, to = 0; from < whole; from += 4, to += 3) {
    const a = source[from], b = source[from + 1], c = source[from + 2], d = source[from + 3];
    target[to] = (a & 0xffffff) | b << 24;
    target[to + 1] = (b >>> 8 & 0xffff) | c << 16;
    target[to + 2] = (c >>> 16 & 0xff) | d << 8;
  }
  return whole;
}
