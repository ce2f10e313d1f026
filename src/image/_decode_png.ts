// PNG pixels, by the png crate in WebAssembly.
import init, { decode, decode_rgba16 } from "@jsquash/png/codec/pkg/squoosh_png.js";
import { pickChannels } from "./_pick_channels.ts";
import type { Decoder } from "./image_header.ts";
import { RawImage } from "./raw_image.ts";

/** Load the decoder; it keeps 8 bits as Pillow does: of 16 the upper 8, but grey of 16 bits is clipped at 255. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  await init(await import.source("@jsquash/png/codec/pkg/squoosh_png_bg.wasm"));
  return (bytes, header) => {
    const channels = header.color === "grey" ? (header.alpha ? 2 : 1) : header.alpha ? 4 : 3;
    const clipped = header.color === "grey" && header.bits === 16;
    const { data, width, height } = clipped ? decode_rgba16(bytes) : decode(bytes);
    return new RawImage(pickChannels(data, width * height, channels), width, height, channels);
  };
}
