// The first frame of a GIF as a GIF of its own, in which all is said that decoders read differently from Pillow.
import { findFrame } from "./headers/gif_header.ts";
import type { ImageHeader } from "./headers/image_header.ts";

/** A frame that stands alone. */
export interface StillGif {
  /** A GIF of one frame with a palette of 256 colours. */
  readonly bytes: Uint8Array;
  /** The colour of transparent places, and of those around the frame. */
  readonly background: readonly [red: number, green: number, blue: number];
  /** For each row of the result the row of the decoded GIF, if the frame is interlaced. */
  readonly rows?: readonly number[];
}

/**
 * Take the first frame out of a GIF.
 *
 * @param bytes The whole file, whose blocks have been checked.
 * @param header What its header says: the screen may be larger than the file's.
 */
export function firstGifFrame(bytes: Uint8Array, { width, height }: ImageHeader): StillGif {
  const { at, data: [start, end], palette, transparent } = findFrame(bytes, "");
  // Colours that a palette does not have are black; without one, all are grey.
  const colors = palette.length > 0
    ? new Uint8Array(768)
    : Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  colors.set(palette);
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  const descriptor = [...bytes.subarray(at, at + 9), 0];
  const screen = [width & 255, width >> 8, height & 255, height >> 8, 0xf7, 0, 0];
  const parts = [[...new TextEncoder().encode("GIF89a"), ...screen], colors, control, descriptor];
  const file = new Uint8Array(13 + 768 + control.length + 10 + end - start + 1);
  let length = 0;
  for (const part of [...parts, bytes.subarray(start, end), [0x3b]]) {
    file.set(part, length);
    length += part.length;
  }
  const entry = 3 * (transparent ?? 0);
  const background = [colors[entry], colors[entry + 1], colors[entry + 2]] as const;
  const top = bytes[at + 3] + 256 * bytes[at + 4];
  const rows = bytes[at + 9] & 0x40 ? interlacedRows(height, top, bytes[at + 7] + 256 * bytes[at + 8]) : undefined;
  return { bytes: file, background, rows };
}

/** The order of an interlaced frame's rows, which the image crate cannot always undo: every 8th, 4th and so on. */
function interlacedRows(screenHeight: number, top: number, height: number): number[] {
  const rows = Array.from({ length: screenHeight }, (_, y) => y);
  let stored = top;
  for (const [first, step] of [[0, 8], [4, 8], [2, 4], [1, 2]]) {
    for (let y = first; y < height; y += step) rows[top + y] = stored++;
  }
  return rows;
}
