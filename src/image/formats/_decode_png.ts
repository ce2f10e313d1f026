// PNG pixels, by the png crate in @jsquash/png's WebAssembly.
import { loadPngModule } from "../../packages/jsquash_png.ts";
import { selectChannels } from "./_select_channels.ts";
import { giveBytes, instantiate, onInstances, type RustExports } from "./_wasm_decoder.ts";
import type { Decoder } from "./headers/image_header.ts";

interface Png extends RustExports {
  decode(at: number, length: number): number;
  decode_rgba16(at: number, length: number): number;
  imagedatargba16_data(image: number): number;
  __wbg_imagedatargba16_free(image: number): void;
}

/** Load the decoder; it returns 8 bits as Pillow does: the upper 8 of 16, but grey of 16 bits is clipped at 255. */
export async function load(): Promise<Decoder> {
  const module = await loadPngModule();
  return onInstances(() => {
    let rgba: Uint8Array | Uint16Array = new Uint8Array(); // the pixels, which the module passes as a view of its memory
    const png = instantiate<Png>(module, {
      __wbg_newwithownedu8clampedarray: (at, length) => {
        rgba = new Uint8Array(png.memory.buffer, at >>> 0, length);
        return 0;
      },
      __wbg_newwithbyteoffsetandlength: (_buffer, at, length) => {
        rgba = new Uint16Array(png.memory.buffer, at >>> 0, length);
        return 0;
      },
      __wbg_buffer: () => 0,
      __wbindgen_memory: () => 0,
      __wbindgen_object_drop_ref: () => {},
    });
    return {
      memory: png.memory,
      decode: (bytes, { color, alpha, bits, width, height }) => {
        const channels = color === "grey" ? (alpha ? 2 : 1) : alpha ? 4 : 3;
        if (bits === 16 && channels === 1) {
          const image = png.decode_rgba16(...giveBytes(png, bytes));
          png.imagedatargba16_data(image);
          const result = selectChannels(rgba, width, height, channels);
          png.__wbg_imagedatargba16_free(image);
          return result;
        }
        png.decode(...giveBytes(png, bytes));
        const result = selectChannels(rgba, width, height, channels);
        png.__wbindgen_free(rgba.byteOffset, rgba.byteLength, 1);
        return result;
      },
    };
  });
}
