// PNG pixels as Pillow has them: of 16 bits the upper 8 are kept, but grey of 16 bits is clipped at 255.
import { DecodeError } from "../decode_error.ts";
import type { ImageHeader } from "../image_header.ts";
import { RawImage } from "../raw_image.ts";
import { crc32 } from "./crc32.ts";
import { inflatedSize, type Samples, visitRows } from "./rows.ts";

/**
 * Decode a PNG.
 *
 * @param bytes The whole file, whose chunks have been seen to be whole.
 * @param header Its header.
 * @throws {DecodeError} If a checksum, the compressed data or a row is wrong.
 */
export async function decodePng(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  const { width, height, color, bits, alpha } = header;
  const { data, palette, transparency } = readChunks(bytes);
  const stored = color === "palette" ? 1 : (color === "grey" ? 1 : 3) + (alpha && !transparency ? 1 : 0);
  const samples: Samples = { width, height, bitsPerPixel: stored * bits, interlaced: bytes[28] === 1 };
  const inflated = await inflate(data, inflatedSize(samples));
  const channels = (color === "grey" ? 1 : 3) + (alpha ? 1 : 0) as RawImage["channels"];
  const pixels = new Uint8Array(width * height * channels);
  const unpack = bits === 16
    ? halve(color === "grey" && !alpha)
    : bits < 8
    ? spread(bits, color === "grey")
    : undefined;
  const key = transparency && color !== "palette" ? keyOf(transparency, stored) : undefined;
  visitRows(inflated, samples, (row, columns, y, x, stepX) => {
    const values = unpack ? unpack(row, columns * stored) : row;
    let to = (y * width + x) * channels;
    if (stored === channels && !palette && stepX === 1) return pixels.set(values, to);
    const step = (stepX - 1) * channels;
    for (let i = 0; i < columns; i++, to += step) {
      if (palette) {
        for (let c = 0, from = 3 * values[i]; c < 3; c++) pixels[to++] = palette[from + c] ?? 0;
        if (alpha) pixels[to++] = transparency?.[values[i]] ?? 255;
      } else {
        for (let c = 0, from = i * stored; c < stored; c++) pixels[to++] = values[from + c];
        if (key) pixels[to++] = key.every((value, c) => value === sampleAt(row, i * stored + c, bits)) ? 0 : 255;
      }
    }
  });
  return new RawImage(pixels, width, height, channels);
}

interface Chunks {
  readonly data: Uint8Array[];
  readonly palette?: Uint8Array;
  readonly transparency?: Uint8Array;
}

function readChunks(bytes: Uint8Array): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data: Uint8Array[] = [];
  let palette: Uint8Array | undefined, transparency: Uint8Array | undefined;
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IEND") break;
    const critical = (bytes[at + 4] & 0x20) === 0;
    if (
      (critical || kind === "tRNS") &&
      crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)
    ) {
      throw new DecodeError(`the checksum of chunk ${kind} at byte ${at} is wrong`);
    }
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IDAT") data.push(body);
    if (kind === "PLTE" && bytes[25] === 3) palette = body;
    if (kind === "tRNS") transparency = body;
    at += 12 + length;
  }
  return { data, palette, transparency };
}

/** Inflate zlib data to `size` bytes and no more. */
async function inflate(parts: readonly Uint8Array[], size: number): Promise<Uint8Array> {
  const source = ReadableStream.from(parts as Uint8Array<ArrayBuffer>[]);
  const reader = source.pipeThrough(new DecompressionStream("deflate")).getReader();
  const result = new Uint8Array(size);
  let at = 0;
  try {
    while (at < size) {
      const { value, done } = await reader.read();
      if (done) throw new DecodeError(`its data ends after ${at} of ${size} bytes`);
      result.set(value.subarray(0, size - at), at);
      at += value.length;
    }
    return result;
  } catch (error) {
    throw error instanceof DecodeError ? error : new DecodeError("its compressed data is damaged", { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

type Unpack = (row: Uint8Array, count: number) => Uint8Array;

/** Samples of 1, 2 or 4 bits to bytes; grey is stretched to 0 to 255. */
function spread(bits: number, stretch: boolean): Unpack {
  const factor = stretch ? 255 / ((1 << bits) - 1) : 1;
  return (row, count) => Uint8Array.from({ length: count }, (_, i) => sampleAt(row, i, bits) * factor);
}

/** Samples of 16 bits to 8: the upper half, or clipped. */
function halve(clipped: boolean): Unpack {
  return (row, count) =>
    Uint8Array.from({ length: count }, (_, i) => clipped ? Math.min(255, sampleAt(row, i, 16)) : row[2 * i]);
}

/** Sample `index` of a row as it is stored. */
function sampleAt(row: Uint8Array, index: number, bits: number): number {
  if (bits === 8) return row[index];
  if (bits === 16) return row[2 * index] << 8 | row[2 * index + 1];
  const bit = index * bits;
  return row[bit >> 3] >> (8 - bits - (bit & 7)) & ((1 << bits) - 1);
}

/** The one colour that is transparent, a number a sample. */
function keyOf(transparency: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, c) => transparency[2 * c] << 8 | transparency[2 * c + 1]);
}
