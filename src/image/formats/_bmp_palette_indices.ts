// A run-length encoded BMP (RLE4, RLE8) may skip pixels. Pillow gives those the palette's first colour, the image crate black.
// So the palette is replaced by one whose colours are their own index: then the crate returns indices, 0 for skipped pixels.

/** A BMP that decodes to palette indices. */
export interface IndexedBmp {
  /** The file with a palette whose colours have their own index as red. */
  readonly bytes: Uint8Array;
  /** The original palette: blue, green, red and an unused byte for each colour. */
  readonly palette: Uint8Array;
}

/**
 * Replace the colours of a BMP's palette by their indices.
 *
 * @param bytes The whole file, whose header has been checked.
 * @returns The changed file, or undefined if it is not run-length encoded.
 */
export function withIndexPalette(bytes: Uint8Array): IndexedBmp | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerSize = view.getUint32(14, true);
  const compression = headerSize < 40 ? 0 : view.getUint32(30, true);
  if (compression !== 1 && compression !== 2) return undefined;
  const start = 14 + headerSize;
  const most = 1 << view.getUint16(28, true);
  const colors = Math.min(view.getUint32(46, true) || most, most, Math.floor((bytes.length - start) / 4));
  const indexed = bytes.slice();
  for (let i = 0; i < colors; i++) indexed.set([0, 0, i], start + 4 * i);
  return { bytes: indexed, palette: bytes.subarray(start, start + 4 * colors) };
}
