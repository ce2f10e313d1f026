// Encodes a picture as a PNG file, by the png crate in WebAssembly.
import { loadPngEncoder, loadPngModule } from "../../packages/jsquash_png.ts";
import type { RawImage } from "../raw_image.ts";

/**
 * Encode a picture as PNG, in RGB and alpha.
 *
 * @param image The picture; one without alpha is opaque.
 * @returns The bytes of the file.
 */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  const { default: init, encode } = await loadPngEncoder();
  await init(await loadPngModule());
  const { data, width, height, channels } = image;
  const rgb = image.toRgb().data;
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = rgb[3 * i + c];
    if (channels % 2 === 0) rgba[4 * i + 3] = data[(i + 1) * channels - 1];
  }
  return encode(rgba, width, height, 8);
}
