// JPEG pixels, grey or colour, by mozjpeg in WebAssembly. It knows no CMYK.
import factory from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import { pickChannels } from "./_pick_channels.ts";
import { onInstances, startEmscripten } from "./_wasm_decoder.ts";
import type { Decoder } from "./image_header.ts";

/** Load the decoder; it gives grey or RGB, not turned by EXIF. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const module: WebAssembly.Module = await import.source("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  return onInstances(() =>
    startEmscripten(factory, module, (decode, bytes, header) => {
      const { data, width, height } = decode(bytes, false);
      return pickChannels(data, width, height, header.color === "grey" ? 1 : 3);
    })
  );
}
