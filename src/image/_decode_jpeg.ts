// JPEG pixels, by mozjpeg in WebAssembly. Loaded on first use.
import decodeRgba, { init } from "@jsquash/jpeg/decode.js";
import type { ImageHeader } from "./header.ts";
import { RawImage } from "./raw_image.ts";

let ready: Promise<unknown> | undefined;

/**
 * Decode a JPEG to grey or RGB.
 *
 * @param bytes The whole file.
 * @param header Its header.
 */
export async function decodeJpeg(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  ready ??= import.source("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm").then(init);
  await ready;
  const { data, width, height } = await decodeRgba(bytes as Uint8Array & ArrayBuffer);
  const channels = header.color === "grey" ? 1 : 3;
  const pixels = new Uint8Array(width * height * channels);
  if (channels === 1) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = data[4 * i];
  } else {
    for (let from = 0, to = 0; to < pixels.length; from += 4, to += 3) {
      pixels[to] = data[from];
      pixels[to + 1] = data[from + 1];
      pixels[to + 2] = data[from + 2];
    }
  }
  return new RawImage(pixels, width, height, channels);
}
