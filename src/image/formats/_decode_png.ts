// PNG pixels, by the png crate in @jsquash/png's WebAssembly.
import { loadPngModule } from "../../packages/jsquash_png.ts";
import { crc32 } from "./_crc32.ts";
import { selectChannels } from "./_select_channels.ts";
import { giveBytes, instantiate, onInstances, type RustExports } from "./_wasm_decoder.ts";
import type { Decoder, ImageHeader } from "./headers/image_header.ts";

/** The names of the chunks that pixels depend on, as numbers. */
const ihdr = 0x49484452, plte = 0x504c5445, trns = 0x74524e53, idat = 0x49444154, iend = 0x49454e44;
const needed: readonly number[] = [ihdr, plte, trns, idat, iend];

interface Png extends RustExports {
  decode(at: number, length: number): number;
  decode_rgba16(at: number, length: number): number;
  imagedatargba16_data(image: number): number;
  __wbg_imagedatargba16_free(image: number): void;
}

/** Load the decoder; it returns 8 bits as Pillow does: the upper 8 of 16, but grey of 16 bits is clipped at 255. */
export async function load(): Promise<Decoder> {
  const module = await loadPngModule();
  const decode = onInstances(() => {
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
  return async (bytes, header, transform) => {
    return await decode(await pixelChunks(bytes, header), header, transform);
  };
}

/**
 * The file without the chunks that no pixel depends on. The library would refuse a picture for an error in one of them.
 *
 * @param bytes The whole file, whose chunks have been walked over.
 * @throws {Error} If the pixels' data is damaged, of which the library reads no more than the rows. As in Pillow the checksum
 * within the data counts; it takes inflating all of it, so those of the chunks are compared first.
 */
async function pixelChunks(bytes: Uint8Array, { width, height }: ImageHeader): Promise<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, 8)], data: Uint8Array<ArrayBuffer>[] = [];
  let length = 8, doubtful = false;
  for (let at = 8, kind = 0; kind !== iend;) {
    const end = at + 8 + view.getUint32(at);
    kind = view.getUint32(at + 4);
    if (needed.includes(kind)) {
      kept.push(bytes.subarray(at, end + 4));
      length += end + 4 - at;
    }
    if (kind === idat) {
      data.push(bytes.subarray(at + 8, end) as Uint8Array<ArrayBuffer>);
      doubtful ||= crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end);
    }
    at = end + 4;
  }
  if (doubtful) await checkData(data, 16 * (width + 1) * height);
  if (length === bytes.length) return bytes;
  const file = new Uint8Array(length);
  kept.reduce((to, chunk) => (file.set(chunk, to), to + chunk.length), 0);
  return file;
}

/**
 * Inflate data to see that its checksum is right.
 *
 * @param most More bytes than pixels of the largest kind take, at which inflating is given up.
 * @throws {Error} If it is damaged, or of more bytes.
 */
async function checkData(data: readonly Uint8Array<ArrayBuffer>[], most: number): Promise<void> {
  let length = 0;
  for await (const part of new Blob([...data]).stream().pipeThrough(new DecompressionStream("deflate"))) {
    length += part.length;
    if (length > most) throw new Error(`the data inflates to more than ${most} bytes`);
  }
}
