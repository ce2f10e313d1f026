// The first frame of an animated WebP as a still WebP of its own (WebP container specification, ANMF).
import { readWebpHeader } from "./headers/webp_header.ts";
import type { ImageHeader } from "./headers/image_header.ts";

/** A frame and where it lies on the canvas. */
export interface WebpFrame {
  /** A still WebP. */
  readonly bytes: Uint8Array;
  readonly left: number;
  readonly top: number;
}

/**
 * Take the first frame out of an animated WebP.
 *
 * @param bytes The whole file, whose chunks have been checked.
 * @param canvas The whole file's header.
 * @returns The frame, or undefined if the file is no animation.
 */
export function firstFrame(bytes: Uint8Array, canvas: ImageHeader): WebpFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 24 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    if (view.getUint32(at) === 0x414e4d46) { // "ANMF"
      const uint24 = (offset: number): number => view.getUint32(at + offset, true) & 0xffffff;
      const frame = { bytes: still(bytes.subarray(at + 8, at + 8 + length)), left: 2 * uint24(8), top: 2 * uint24(11) };
      // The decoder uses the size in the frame's own header, whatever the canvas is.
      const { width, height } = readWebpHeader(frame.bytes, "");
      if (frame.left + width <= canvas.width && frame.top + height <= canvas.height) return frame;
      throw new Error(`a frame of ${width} x ${height} does not fit`);
    }
    at += 8 + length + length % 2;
  }
  return undefined;
}

/** Make a still file of the frame's chunks; with an alpha chunk it needs the extended header. */
function still(frame: Uint8Array): Uint8Array {
  const chunks = frame.subarray(16);
  const alpha = chunks[0] === 0x41; // "ALPH" comes before "VP8 "
  const file = new Uint8Array(12 + (alpha ? 18 : 0) + chunks.length);
  const view = new DataView(file.buffer);
  const text = (at: number, value: string): void => {
    for (let i = 0; i < 4; i++) file[at + i] = value.charCodeAt(i);
  };
  text(0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  text(8, "WEBP");
  if (alpha) {
    text(12, "VP8X");
    view.setUint32(16, 10, true);
    file[20] = 0x10;
    file.set(frame.subarray(6, 12), 24); // width and height, less one
  }
  file.set(chunks, file.length - chunks.length);
  return file;
}
