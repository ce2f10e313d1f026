// Rewrites a TIFF for the library, with the same strips or tiles: either with another page first, upright, or described as a
// picture of grey bytes. In the second case the library only undoes the compression; _samples.ts interprets the bytes, since the library
// keeps 8 bits and Pillow converts 16 in its own way.
import { orientationTag } from "../headers/orientation.ts";
import { tags } from "./_tiff_codes.ts";
import { TiffFile } from "./directory.ts";
import { bytesOfRow, type TiffPage } from "./tiff_page.ts";

/**
 * Copy the file with another page as its first, which is said to be upright: the library turns the pixels of some kinds of
 * pages, and every picture is turned once after it is decoded.
 *
 * @param bytes The whole file, which is left as it is.
 */
export function tiffWithPageFirst(bytes: Uint8Array, { directory, big, littleEndian }: TiffPage): Uint8Array {
  const file = bytes.slice();
  const view = new DataView(file.buffer);
  if (big) view.setBigUint64(8, BigInt(directory), littleEndian);
  else view.setUint32(4, directory, littleEndian);
  const entry = TiffFile.open(file)?.directory(directory)?.entry(orientationTag);
  if (entry === undefined) return file;
  view.setUint16(entry + 2, 3, littleEndian); // one short
  if (big) view.setBigUint64(entry + 4, 1n, littleEndian);
  else view.setUint32(entry + 4, 1, littleEndian);
  view.setUint16(entry + (big ? 12 : 8), 1, littleEndian);
  return file;
}

/**
 * Make a file with a page's plane as a grey picture, whose pixels are the plane's bytes.
 *
 * @param bytes The whole file.
 * @param size The page's size, in pixels.
 * @param plane The plane; 0 if the page is not stored in planes.
 */
export function tiffOfPlaneBytes(
  bytes: Uint8Array,
  size: { readonly width: number; readonly height: number },
  page: TiffPage,
  plane: number,
): Uint8Array {
  const { part, planes, samples } = page;
  const parts = page.offsets.length / (planes ? samples : 1);
  const offsets = page.offsets.slice(plane * parts, (plane + 1) * parts);
  const lengths = page.lengths.slice(plane * parts, (plane + 1) * parts);
  const entries: [tag: number, values: readonly number[]][] = [
    [tags.width, [bytesOfRow(size.width, page)]],
    [tags.height, [size.height]],
    [tags.bits, [8]],
    [tags.compression, [page.compression]],
    [tags.photometric, [1]],
    [tags.fillOrder, [page.fillOrder]],
    [tags.samples, [1]],
  ];
  if (part.tile) {
    entries.push([tags.tileWidth, [bytesOfRow(part.width, page)]], [tags.tileHeight, [part.height]]);
    entries.push([tags.tileOffsets, offsets], [tags.tileLengths, lengths]);
  } else entries.push([tags.stripOffsets, offsets], [tags.rowsPerStrip, [part.height]], [tags.stripLengths, lengths]);
  return writeFile(entries.sort(([a], [b]) => a - b), bytes);
}

/** Make a little-endian file of one directory, followed by the other file's bytes. All values are longs. */
function writeFile(entries: readonly (readonly [tag: number, values: readonly number[]])[], bytes: Uint8Array) {
  const arrays = 8 + 2 + 12 * entries.length + 4;
  const start = entries.reduce((at, [, values]) => at + (values.length > 1 ? 4 * values.length : 0), arrays);
  const file = new Uint8Array(start + bytes.length);
  file.set(bytes, start);
  const view = new DataView(file.buffer);
  file.set([0x49, 0x49, 42, 0, 8]);
  view.setUint16(8, entries.length, true);
  let at = 10, array = arrays;
  for (const [tag, values] of entries) {
    const places: number[] = [tags.stripOffsets, tags.tileOffsets];
    const written = places.includes(tag) ? values.map((place) => place + start) : values;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, 4, true);
    view.setUint32(at + 4, written.length, true);
    view.setUint32(at + 8, written.length > 1 ? array : written[0], true);
    if (written.length > 1) {
      for (const value of written) {
        view.setUint32(array, value, true);
        array += 4;
      }
    }
    at += 12;
  }
  return file;
}
