// PNG pixels, by the png crate in WebAssembly. Loaded on first use.
import init, { decode, decode_rgba16 } from "@jsquash/png/codec/pkg/squoosh_png.js";
import type { ImageHeader } from "./header.ts";
import { type Channels, RawImage } from "./raw_image.ts";

let ready: Promise<unknown> | undefined;

/**
 * Decode a PNG to 8 bits as Pillow does: of 16 bits the upper 8 are kept, but grey of 16 bits is clipped at 255.
 *
 * @param bytes The whole file.
 * @param header Its header.
 */
export async function decodePng(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  ready ??= import.source("@jsquash/png/codec/pkg/squoosh_png_bg.wasm").then(init);
  await ready;
  const channels: Channels = header.color === "grey" ? (header.alpha ? 2 : 1) : header.alpha ? 4 : 3;
  const clipped = header.color === "grey" && header.bits === 16;
  const { data, width, height } = clipped ? decode_rgba16(bytes) : decode(bytes);
  return new RawImage(pick(data, width * height, channels), width, height, channels);
}

/** Keep `channels` of RGBA samples; values of 16 bits are clipped at 255. */
function pick(rgba: ArrayLike<number>, pixels: number, channels: Channels): Uint8Array {
  const data = new Uint8Array(pixels * channels);
  if (channels === 4) {
    data.set(rgba);
    return data;
  }
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += 4) {
    data[to++] = Math.min(255, rgba[from]);
    if (channels === 2) data[to++] = rgba[from + 3];
    else if (channels === 3) {
      data[to++] = rgba[from + 1];
      data[to++] = rgba[from + 2];
    }
  }
  return data;
}
