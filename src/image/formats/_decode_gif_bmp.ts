// GIF (the first frame) and BMP pixels, by the image crate in photon's WebAssembly.
import { loadPhotonModule } from "../../packages/cf_wasm_photon.ts";
import { withIndexPalette } from "./_bmp_palette_indices.ts";
import { firstGifFrame, paintFrame } from "./_gif_frame.ts";
import { selectChannels } from "./_select_channels.ts";
import { giveBytes, instantiate, onInstances, type RustExports } from "./_wasm_decoder.ts";
import type { Decoder } from "./headers/image_header.ts";

interface Photon extends RustExports {
  photonimage_new_from_byteslice(at: number, length: number): number;
  photonimage_get_width(image: number): number;
  photonimage_get_height(image: number): number;
  photonimage_get_raw_pixels(image: number): [at: number, length: number];
  __wbg_photonimage_free(image: number, owned: number): void;
}

/** Load the decoder; it returns RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  const module = await loadPhotonModule();
  return onInstances(() => {
    const photon = instantiate<Photon>(module);
    return {
      memory: photon.memory,
      decode: (bytes, header) => {
        const still = header.format === "gif" ? firstGifFrame(bytes) : undefined;
        const indexed = header.format === "bmp" ? withIndexPalette(bytes) : undefined;
        const image = photon.photonimage_new_from_byteslice(
          ...giveBytes(photon, (still ?? indexed)?.bytes ?? bytes),
        );
        const [width, height] = [photon.photonimage_get_width(image), photon.photonimage_get_height(image)];
        const [at, length] = photon.photonimage_get_raw_pixels(image);
        const rgba = new Uint8Array(photon.memory.buffer, at >>> 0, length);
        if (indexed) colorByIndex(rgba, indexed.palette);
        if (header.levels) roundDown(rgba, header.levels);
        const result = still
          ? paintFrame(still, rgba, header)
          : selectChannels(rgba, width, height, header.alpha ? 4 : 3);
        photon.__wbindgen_free(at, length, 1);
        photon.__wbg_photonimage_free(image, 0);
        return result;
      },
    };
  });
}

/** Replace indices, which are in the red samples, by the colours of a palette (blue, green, red and an unused byte). */
function colorByIndex(rgba: Uint8Array, palette: Uint8Array): void {
  for (let i = 0; i < rgba.length; i += 4) {
    const color = 4 * rgba[i];
    for (let c = 0; c < 3; c++) rgba[i + c] = palette[color + 2 - c];
  }
}

/** Convert samples of fewer levels to 8 bits, rounded down as Pillow does, not to the nearest. */
function roundDown(rgba: Uint8Array, levels: readonly number[]): void {
  const tables = levels.map((most) =>
    Uint8Array.from({ length: 256 }, (_, sample) => Math.floor(Math.round(sample * most / 255) * 255 / most))
  );
  for (let i = 0; i < rgba.length; i += 4) {
    for (let c = 0; c < 3; c++) rgba[i + c] = tables[c][rgba[i + c]];
  }
}
