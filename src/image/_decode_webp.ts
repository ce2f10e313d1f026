// WebP pixels (of an animation, its first frame), by libwebp in WebAssembly.
import decodeRgba, { init } from "@jsquash/webp/decode.js";
import { onModule } from "./_emscripten.ts";
import { pickChannels } from "./_pick_channels.ts";
import { firstFrame } from "./_webp_frame.ts";
import { RawImage } from "./raw_image.ts";
import type { Decoder } from "./image_header.ts";
import { crop } from "./transforms.ts";

/** Load the decoder; it gives RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const module: WebAssembly.Module = await import.source("@jsquash/webp/codec/dec/webp_dec.wasm");
  await init(onModule(module));
  return async (bytes, header) => {
    const frame = firstFrame(bytes);
    const still = (frame?.bytes ?? bytes) as Uint8Array & ArrayBuffer;
    const { data, width, height } = await decodeRgba(still).catch(async (error) => {
      await init(onModule(module)); // after an error the library's memory is not to be trusted
      throw error;
    });
    const channels = header.alpha ? 4 : 3;
    const image = new RawImage(pickChannels(data, width * height, channels), width, height, channels);
    return frame ? crop(image, -frame.left, -frame.top, header.width, header.height) : image;
  };
}
