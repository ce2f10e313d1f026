// AVIF pixels (of a sequence, its first picture), by libavif in WebAssembly. Where colours have fewer samples than pixels it
// does not interpolate as Pillow's build does: a hard edge between colours differs by some levels.
import { loadAvif, loadAvifModule } from "../../packages/jsquash_avif.ts";
import { pickChannels } from "./_pick_channels.ts";
import { type DecoderInstance, onInstances, startEmscripten } from "./_wasm_decoder.ts";
import type { Decoder } from "./headers/image_header.ts";

/** What libavif is asked for. */
interface AvifLibrary {
  /** RGBA of 8 bits; null if there is none. */
  decode(
    bytes: Uint8Array,
    bits: 8,
  ): { readonly data: ImageDataArray; readonly width: number; readonly height: number } | null;
}

/** Load the decoder; it gives grey or RGB, either with alpha. */
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
      return pickChannels(pixels.data, pixels.width, pixels.height, channels);
    },
  };
}
