// Pictures to measure with, the same each time.
import encodeWith from "@jsquash/jpeg/encode.js";
import { RawImage } from "../src/image/mod.ts";

/** A soft picture with fine noise in RGB. */
export function softPicture(width: number, height: number, seed = 1): RawImage {
  const data = new Uint8Array(width * height * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = 128 + 90 * Math.sin(x / (90 + 10 * (i % 3))) * Math.cos(y / 70) + (state >>> 28);
  }
  return new RawImage(data, width, height, 3);
}

/** Encode a picture in RGB as a JPEG of quality 85. */
export async function encodeJpeg({ data, width, height }: RawImage, progressive = false): Promise<Uint8Array> {
  const rgba = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba.data.set([data[from], data[from + 1], data[from + 2], 255], to);
  }
  return new Uint8Array(await encodeWith(rgba, { quality: 85, progressive }));
}
