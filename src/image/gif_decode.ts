// A GIF's first frame on its screen (GIF89a specification, appendix F for the compression).
import { DecodeError } from "./decode_error.ts";
import type { ImageHeader } from "./image_header.ts";
import { RawImage } from "./raw_image.ts";

/**
 * Decode a GIF's first frame.
 *
 * @param bytes The whole file, whose blocks have been seen to be whole.
 * @param header Its header.
 * @returns RGB, or RGB and alpha where one colour is transparent.
 * @throws {DecodeError} If the frame's data is damaged or ends early.
 */
export function decodeGif(bytes: Uint8Array, header: ImageHeader): RawImage {
  const { width, height, alpha } = header;
  const { at, palette, transparent } = findFrame(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [left, top, columns, rows] = [1, 3, 5, 7].map((offset) => view.getUint16(at + offset, true));
  const flags = bytes[at + 9];
  const local = flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
  const colors = local > 0 ? bytes.subarray(at + 10, at + 10 + local) : palette;
  const indices = unpack(bytes, at + 10 + local, columns * rows);
  const channels = alpha ? 4 : 3;
  const pixels = new Uint8Array(width * height * channels);
  const put = (place: number, index: number): void => {
    // Without any palette the indices are shades of grey.
    for (let c = 0; c < 3; c++) pixels[place + c] = colors ? colors[3 * index + c] ?? 0 : index;
    if (alpha) pixels[place + 3] = index === transparent ? 0 : 255;
  };
  const covered = left === 0 && top === 0 && columns >= width && rows >= height;
  if (!covered) {
    for (let place = 0; place < pixels.length; place += channels) put(place, alpha ? transparent : bytes[11]);
  }
  for (let row = 0; row < rows; row++) {
    const y = top + (flags & 0x40 ? interlacedRow(row, rows) : row);
    if (y >= height) continue;
    for (let x = 0; x < columns && left + x < width; x++) {
      put((y * width + left + x) * channels, indices[row * columns + x]);
    }
  }
  return new RawImage(pixels, width, height, channels);
}

/** The first frame's descriptor, the screen's palette, and the transparent index or -1. */
function findFrame(bytes: Uint8Array): { at: number; palette?: Uint8Array; transparent: number } {
  const size = bytes[10] & 0x80 ? 3 << ((bytes[10] & 7) + 1) : 0;
  const palette = size > 0 ? bytes.subarray(13, 13 + size) : undefined;
  let at = 13 + size;
  let transparent = -1;
  while (bytes[at] === 0x21) {
    if (bytes[at + 1] === 0xf9) transparent = bytes[at + 3] & 1 ? bytes[at + 6] : -1;
    for (at += 2; bytes[at] !== 0; at += bytes[at] + 1);
    at++;
  }
  return { at, palette, transparent };
}

/** Which row of the frame stands at place `row` of an interlaced one: each eighth first, then those between. */
function interlacedRow(row: number, rows: number): number {
  for (const [start, step] of [[0, 8], [4, 8], [2, 4], [1, 2]]) {
    const count = Math.max(0, Math.ceil((rows - start) / step));
    if (row < count) return start + row * step;
    row -= count;
  }
  return row;
}

/** Undo the compression (LZW with codes of growing size) of the blocks at `at`, which are `count` indices. */
function unpack(bytes: Uint8Array, at: number, count: number): Uint8Array {
  const least = bytes[at++];
  if (least < 1 || least > 8) throw new DecodeError(`its first codes have ${least} bits, which is not possible`);
  const parts: Uint8Array[] = [];
  for (; bytes[at] > 0; at += bytes[at] + 1) parts.push(bytes.subarray(at + 1, at + 1 + bytes[at]));
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((place, part) => (data.set(part, place), place + part.length), 0);

  const clear = 1 << least;
  const prefix = new Uint16Array(4096);
  const suffix = new Uint8Array(4096).map((_, code) => code & 255);
  const lengths = new Uint16Array(4096).fill(1);
  const result = new Uint8Array(count);
  let size = least + 1, next = clear + 2, before = -1, to = 0;
  let buffer = 0, bits = 0;
  for (let from = 0; to < count;) {
    while (bits < size && from < data.length) {
      buffer |= data[from++] << bits;
      bits += 8;
    }
    if (bits < size) throw new DecodeError(`its data ends after ${to} of ${count} pixels`);
    const code = buffer & ((1 << size) - 1);
    buffer >>>= size;
    bits -= size;
    if (code === clear) {
      [size, next, before] = [least + 1, clear + 2, -1];
      continue;
    }
    if (code === clear + 1) throw new DecodeError(`its data ends after ${to} of ${count} pixels`);
    if (code > next || code === next && before < 0) {
      throw new DecodeError(`its data has code ${code} before it is defined`);
    }
    // The code that is being defined stands for the one before and that one's first index again.
    const fresh = code === next;
    const known = fresh ? before : code;
    const length = lengths[known] + (fresh ? 1 : 0);
    let first = known;
    for (let place = to + lengths[known] - 1; place >= to; place--, first = prefix[first]) {
      if (place < count) result[place] = suffix[first];
    }
    const head = result[to];
    if (fresh && to + length - 1 < count) result[to + length - 1] = head;
    to += length;
    if (before >= 0 && next < 4096) {
      [prefix[next], suffix[next], lengths[next]] = [before, head, lengths[before] + 1];
      next++;
      if (next === 1 << size && size < 12) size++;
    }
    before = code;
  }
  return result;
}
