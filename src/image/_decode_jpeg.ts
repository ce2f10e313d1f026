// JPEG pixels, grey or colour, by mozjpeg in WebAssembly. It knows no CMYK.
import decodeRgba, { init } from "@jsquash/jpeg/decode.js";
import { onModule } from "./_emscripten.ts";
import { pickChannels } from "./_pick_channels.ts";
import type { Decoder } from "./image_header.ts";
import { RawImage } from "./raw_image.ts";

/** Load the decoder; it gives grey or RGB, not turned by EXIF. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const module: WebAssembly.Module = await import.source("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  await init(onModule(module));
  return async (bytes, header) => {
    const { data, width, height } = await decodeRgba(bytes as Uint8Array & ArrayBuffer).catch(async (error) => {
      await init(onModule(module)); // after an error the library's memory is not to be trusted
      throw error;
    });
    const channels = header.color === "grey" ? 1 : 3;
    return new RawImage(pickChannels(data, width * height, channels), width, height, channels);
  };
}
