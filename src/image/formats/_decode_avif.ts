// AVIF pixels (the first picture of a sequence), by libavif in WebAssembly. Where the colours are subsampled it interpolates
// otherwise than Pillow's build, so a hard edge between colours differs by some levels.
import { loadAvif, loadAvifModule } from "../../packages/jsquash_avif.ts";
import { selectChannels } from "./_select_channels.ts";
import { type DecoderInstance, onInstances, startEmscripten } from "./_wasm_decoder.ts";
import type { Decoder } from "./headers/image_header.ts";

/** The function of libavif that is used. */
interface AvifLibrary {
  /** RGBA of 8 bits; null if there is none. */
  decode(
    bytes: Uint8Array,
    bits: 8,
  ): { readonly data: ImageDataArray; readonly width: number; readonly height: number } | null;
}

/** Load the decoder; it returns grey or RGB, with or without alpha. */
export async function load(): Promise<Decoder> {
  const [startAvif, module] = await Promise.all([loadAvif(), loadAvifModule()]);
  return onInstances(() => start(startAvif, module));
}

async function start(
  startAvif: Awaited<ReturnType<typeof loadAvif>>,
  module: WebAssembly.Module,
): Promise<DecoderInstance> {
  const { library, memory } = await startEmscripten<AvifLibrary>(startAvif, module);
  return {
    memory,
    decode: (bytes, { color, alpha }) => {
      const pixels = library.decode(bytes, 8);
      if (!pixels) throw new Error("the library gave no picture");
      const channels = color === "grey" ? (alpha ? 2 : 1) : alpha ? 4 : 3;
      return selectChannels(pixels.data, pixels.width, pixels.height, channels);
    },
  };
}
