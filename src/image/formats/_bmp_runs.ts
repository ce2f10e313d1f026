// A BMP of runs (RLE4, RLE8) may leave places unpainted, which are of the palette's first colour in Pillow, and black in the
// image crate: so it is decoded to the numbers of colours, of which an unpainted place has the first.

/** A BMP that decodes to the numbers of its colours. */
export interface NumberedBmp {
  /** The file with a palette whose colours have their own number as red. */
  readonly bytes: Uint8Array;
  /** Blue, green, red and nothing of each colour. */
  readonly palette: Uint8Array;
}

/**
 * Put numbers into the place of a BMP's colours.
 *
 * @param bytes The whole file, whose header has been checked.
 * @returns The numbered file, or undefined if it is not made of runs.
 */
export function numberColors(bytes: Uint8Array): NumberedBmp | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerSize = view.getUint32(14, true);
  const compression = headerSize < 40 ? 0 : view.getUint32(30, true);
  if (compression !== 1 && compression !== 2) return undefined;
  const start = 14 + headerSize;
  const most = 1 << view.getUint16(28, true);
  const colors = Math.min(view.getUint32(46, true) || most, most, Math.floor((bytes.length - start) / 4));
  const numbered = bytes.slice();
  for (let i = 0; i < colors; i++) numbered.set([0, 0, i], start + 4 * i);
  return { bytes: numbered, palette: bytes.subarray(start, start + 4 * colors) };
}
