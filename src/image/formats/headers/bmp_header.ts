// A BMP's header (Microsoft's BITMAPFILEHEADER and BITMAPINFOHEADER, and OS/2's BITMAPCOREHEADER).
import { FormatError } from "../../../errors/mod.ts";
import type { ImageHeader } from "./image_header.ts";

/**
 * The pixels of a run-length encoded picture that need no bytes of their own: it may end early, and what is missing has the
 * first colour. More than these are read of runs alone, of which 2 bytes make at most 255 pixels.
 */
const impliedPixels = 4e6;

/**
 * Read a BMP's header and check that its rows are all there.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If a field has an invalid value, or the file ends early.
 */
export function readBmpHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read BMP ${name}: ${what}`, { file: name, offset });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= 18 ? view.getUint32(14, true) : 0;
  if (size === 0 || bytes.length < 14 + size) fail(`the file ends after ${bytes.length} bytes, within its header`, 14);
  if (size !== 12 && size < 40) fail(`its header has ${size} bytes, and 12, 40 or more were expected`, 14);
  const core = size === 12;
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  const height = Math.abs(core ? view.getUint16(20, true) : view.getInt32(22, true)); // negative: rows from the top
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? 0 : view.getUint32(30, true);
  if (width < 0 || ![1, 4, 8, 16, 24, 32].includes(bits)) {
    fail(`${width} pixels a row of ${bits} bits are not possible`, 18);
  }
  const start = view.getUint32(10, true);
  const rows = height * Math.ceil(width * bits / 32) * 4;
  if ((compression === 0 || compression === 3) && start + rows > bytes.length) {
    fail(`its rows take ${rows} bytes from byte ${start} on, but the file has ${bytes.length}`, start);
  }
  if ((compression === 1 || compression === 2) && width * height > Math.max(impliedPixels, bytes.length * 255 / 2)) {
    fail(`its ${bytes.length} bytes are too few for runs of ${width} x ${height} pixels`, start);
  }
  // Masks, in the header or right after it, give the bits of each colour; without them, 16 bits are 5 bits per colour.
  const mask = (at: number): number => compression === 3 && at + 4 <= bytes.length ? view.getUint32(at, true) : 0;
  const levels = { 0: 31, 0x3e0: 31, 0x7e0: 63 }[mask(58)];
  return {
    format: "bmp",
    width,
    height,
    bits,
    color: bits <= 8 ? "palette" : "rgb",
    alpha: bits === 32 && size >= 56 && mask(66) !== 0,
    levels: bits === 16 && levels ? [31, levels, 31] : undefined,
    orientation: 1,
  };
}
