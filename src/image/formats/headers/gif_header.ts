// A GIF's screen and the outline of its blocks up to the end of the first frame (GIF89a specification).
import { FormatError } from "../../../errors/mod.ts";
import type { ImageHeader } from "./image_header.ts";

/** The first frame and the colours it is drawn with. */
export interface GifFrame {
  /** The offset of its descriptor. */
  readonly at: number;
  /** The offsets of the first byte of its compressed pixels and of the one after the last. */
  readonly data: readonly [start: number, end: number];
  /** Red, green and blue of each colour; empty if the file has no palette. */
  readonly palette: Uint8Array;
  /** The colour that is transparent. */
  readonly transparent?: number;
}

/** The most pixels that a byte can stand for: codes have at most 12 bits, and each stands for at most 4096 pixels. */
const pixelsPerByte = 4096 * 8 / 12;

/**
 * Read a GIF's header and walk over its blocks to the end of the first frame.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If the file ends before its first frame does, or has too few bytes for that frame's pixels.
 */
export function readGifHeader(bytes: Uint8Array, name: string): ImageHeader {
  const { at, data: [start, end], transparent } = findFrame(bytes, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (offset: number): number => view.getUint16(offset, true);
  const [width, height] = [field(at + 5), field(at + 7)];
  if (width * height > pixelsPerByte * (end - start)) {
    const few = `the ${end - start} bytes of its first frame are too few for ${width} x ${height} pixels`;
    throw new FormatError(`Cannot read GIF ${name}: ${few}`, { file: name, offset: at });
  }
  return {
    format: "gif",
    // As in Pillow, a frame that is larger than the screen widens it.
    width: Math.max(field(6), field(at + 1) + width),
    height: Math.max(field(8), field(at + 3) + height),
    bits: 8,
    color: "palette",
    alpha: transparent !== undefined,
    orientation: 1,
  };
}

/**
 * Walk over a GIF's blocks to the end of the first frame.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If the file ends before its first frame does.
 */
export function findFrame(bytes: Uint8Array, name: string): GifFrame {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read GIF ${name}: ${what}`, { file: name, offset });
  };
  const cut = (): never => fail(`the file ends after ${bytes.length} bytes, within its first frame`, bytes.length);
  const tableSize = (flags: number): number => flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
  const skipBlocks = (at: number): number => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at] + 1;
    return at < bytes.length ? at + 1 : cut();
  };
  if (bytes.length < 13) cut();
  const screenTable = bytes.subarray(13, 13 + tableSize(bytes[10]));
  let transparent: number | undefined;
  for (let at = 13 + screenTable.length; at < bytes.length;) {
    if (bytes[at] === 0x21) {
      // A graphic control extension can make one colour transparent.
      if (bytes[at + 1] === 0xf9 && at + 6 < bytes.length && bytes[at + 3] & 1) transparent = bytes[at + 6];
      at = skipBlocks(at + 2);
    } else if (bytes[at] === 0x2c) {
      if (at + 11 > bytes.length) cut();
      const start = at + 10 + tableSize(bytes[at + 9]);
      const end = skipBlocks(start + 1);
      const palette = start > at + 10 ? bytes.subarray(at + 10, start) : screenTable;
      return { at, data: [start, end], palette, transparent };
    } else if (bytes[at] === 0x3b) break;
    else fail(`byte ${at} is ${bytes[at]}, and an extension (33) or a frame (44) was expected`, at);
  }
  return fail("it has no frame, and one was expected", bytes.length);
}
