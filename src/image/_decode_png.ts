// PNG pixels, by the png crate in WebAssembly. Loaded on first use.
import init, { decode, decode_rgba16 } from "@jsquash/png/codec/pkg/squoosh_png.js";
import { pickChannels } from "./_pick_channels.ts";
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
  return new RawImage(pickChannels(data, width * height, channels), width, height, channels);
}
