// WebP pixels (of an animation, its first frame), by libwebp in WebAssembly.
import factory from "@jsquash/webp/codec/dec/webp_dec.js";
import { pickChannels } from "./_pick_channels.ts";
import { onInstances, startEmscripten } from "./_wasm_decoder.ts";
import { firstFrame } from "./_webp_frame.ts";
import type { Decoder } from "./image_header.ts";
import { crop } from "./transforms.ts";

/** Load the decoder; it gives RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const module: WebAssembly.Module = await import.source("@jsquash/webp/codec/dec/webp_dec.wasm");
  return onInstances(() =>
    startEmscripten(factory, module, (decode, bytes, header) => {
      const frame = firstFrame(bytes);
      const { data, width, height } = decode(frame?.bytes ?? bytes);
      const image = pickChannels(data, width, height, header.alpha ? 4 : 3);
      return frame ? crop(image, -frame.left, -frame.top, header.width, header.height) : image;
    })
  );
}
