// WebP pixels (the first frame of an animation), by libwebp in WebAssembly.
import { loadWebpModule, startWebp } from "../../packages/jsquash_webp.ts";
import { selectChannels } from "./_select_channels.ts";
import { type DecoderInstance, onInstances, startEmscripten } from "./_wasm_decoder.ts";
import { firstFrame } from "./_webp_frame.ts";
import type { Decoder } from "./headers/image_header.ts";
import { crop } from "../processor/transforms.ts";

/** The function of libwebp that is used. */
interface WebpLibrary {
  /** RGBA; null if there is none. */
  decode(bytes: Uint8Array): { readonly data: ImageDataArray; readonly width: number; readonly height: number } | null;
}

/** Load the decoder; it returns RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  const module = await loadWebpModule();
  return onInstances(() => start(module));
}

async function start(module: WebAssembly.Module): Promise<DecoderInstance> {
  const { library, memory } = await startEmscripten<WebpLibrary>(startWebp, module);
  return {
    memory,
    decode: (bytes, header) => {
      const frame = firstFrame(bytes, header);
      const pixels = library.decode(frame?.bytes ?? bytes);
      if (!pixels) throw new Error("the library gave no picture");
      const image = selectChannels(pixels.data, pixels.width, pixels.height, header.alpha ? 4 : 3);
      return frame ? crop(image, -frame.left, -frame.top, header.width, header.height) : image;
    },
  };
}
