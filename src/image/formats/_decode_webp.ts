// WebP pixels (of an animation, its first frame), by libwebp in WebAssembly.
import { loadWebpModule, startWebp } from "../../packages/jsquash_webp.ts";
import { pickChannels } from "./_pick_channels.ts";
import { type DecoderInstance, onInstances } from "./_wasm_decoder.ts";
import { firstFrame } from "./_webp_frame.ts";
import type { Decoder } from "./image_header.ts";
import { crop } from "../processor/transforms.ts";

/** Load the decoder; it gives RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  const module = await loadWebpModule();
  return onInstances(() => start(module));
}

async function start(module: WebAssembly.Module): Promise<DecoderInstance> {
  let memory: WebAssembly.Memory | undefined;
  const library = await startWebp({
    printErr: () => {},
    // Emscripten's JavaScript would read the module from a file by itself.
    instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(module, imports);
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
      done(instance);
      return instance.exports;
    },
  });
  return {
    memory: memory!,
    decode: (bytes, header) => {
      const frame = firstFrame(bytes, header);
      const pixels = library.decode((frame?.bytes ?? bytes) as Uint8Array & ArrayBuffer);
      if (!pixels) throw new Error("the library gave no picture");
      const image = pickChannels(pixels.data, pixels.width, pixels.height, header.alpha ? 4 : 3);
      return frame ? crop(image, -frame.left, -frame.top, header.width, header.height) : image;
    },
  };
}
