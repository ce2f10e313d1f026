// The first frame of a GIF as a GIF of its own, without what decoders read differently from Pillow, and then the decoded
// frame painted at its place on the screen, which may be much larger than the frame.
import { RawImage } from "../raw_image.ts";
import { findFrame } from "./headers/gif_header.ts";
import type { ImageHeader } from "./headers/image_header.ts";

/** A frame that stands alone. */
export interface StillGif {
  /** A GIF of one frame, which is all of its screen, with a palette of 256 colours. */
  readonly bytes: Uint8Array;
  /** The colour of transparent pixels, and of those around the frame. */
  readonly background: readonly [red: number, green: number, blue: number];
  /** Where the frame is on the screen, in pixels. */
  readonly place: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  /** For each row of the frame the row of the decoded GIF, if the frame is interlaced. */
  readonly rows?: readonly number[];
}

/**
 * Take the first frame out of a GIF.
 *
 * @param bytes The whole file, whose blocks have been checked.
 */
export function firstGifFrame(bytes: Uint8Array): StillGif {
  const { at, data: [start, end], palette, transparent } = findFrame(bytes, "");
  const field = (offset: number): number => bytes[at + offset] + 256 * bytes[at + offset + 1];
  const place = { left: field(1), top: field(3), width: field(5), height: field(7) };
  // Colours that a palette lacks are black; without a palette, all are grey.
  const colors = palette.length > 0
    ? new Uint8Array(768)
    : Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  colors.set(palette);
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  const size = bytes.subarray(at + 5, at + 9);
  const parts = [
    [...new TextEncoder().encode("GIF89a"), ...size, 0xf7, 0, 0],
    colors,
    control,
    [0x2c, 0, 0, 0, 0, ...size, 0],
    bytes.subarray(start, end),
    [0x3b],
  ];
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let length = 0;
  for (const part of parts) {
    file.set(part, length);
    length += part.length;
  }
  const entry = 3 * (transparent ?? 0);
  const background = [colors[entry], colors[entry + 1], colors[entry + 2]] as const;
  return { bytes: file, background, place, rows: bytes[at + 9] & 0x40 ? interlacedRows(place.height) : undefined };
}

/** The order of an interlaced frame's rows, which the image crate cannot always undo: every 8th, 4th and so on. */
function interlacedRows(height: number): number[] {
  const rows = new Array<number>(height);
  let stored = 0;
  for (const [first, step] of [[0, 8], [4, 8], [2, 4], [1, 2]]) {
    for (let y = first; y < height; y += step) rows[y] = stored++;
  }
  return rows;
}

/**
 * Paint a frame on its screen.
 *
 * @param rgba The frame's samples, shape [height, width, 4]; transparent pixels are not painted.
 * @param screen The file's header.
 */
export function paintFrame({ background, place, rows }: StillGif, rgba: Uint8Array, screen: ImageHeader): RawImage {
  const { width, height, alpha } = screen;
  const channels = alpha ? 4 : 3;
  const data = filled(width * height * channels, alpha ? [...background, 0] : background);
  for (let y = 0, to = 0; y < place.height; y++) {
    to = ((place.top + y) * width + place.left) * channels;
    const row = 4 * place.width * (rows ? rows[y] : y);
    for (let from = row; from < row + 4 * place.width; from += 4, to += channels) {
      if (rgba[from + 3] === 0) continue;
      for (let c = 0; c < channels; c++) data[to + c] = rgba[from + c];
    }
  }
  return new RawImage(data, width, height, channels);
}

/** Bytes filled with a repeated pattern. */
function filled(length: number, pattern: readonly number[]): Uint8Array {
  const data = new Uint8Array(length);
  data.set(pattern);
  for (let done = pattern.length; done < length; done *= 2) data.copyWithin(done, 0, Math.min(done, length - done));
  return data;
}
