// From the uncompressed bytes of a TIFF's page to a picture of 8 bits, by Pillow's arithmetic.
import { cmykToRgb } from "../_cmyk_to_rgb.ts";
import { type Channels, RawImage } from "../../raw_image.ts";
import { bytesOfRow, type TiffPage } from "./tiff_page.ts";

/** The size of a page, in pixels. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Make a picture of a page's bytes.
 *
 * @param planes The rows of each plane: one plane with all samples of a pixel, or a plane for each sample. They may be
 * overwritten.
 */
export function pictureOf(planes: readonly Uint8Array[], size: Size, page: TiffPage): RawImage {
  const { width, height } = size;
  const { photometric, extra, samples } = page;
  const colors = photometric === "rgb" ? 3 : photometric === "cmyk" ? 4 : 1;
  const alpha = extra !== "nothing";
  const taken = colors + (alpha ? 1 : 0);
  const each = planes.length > 1 ? 1 : samples;
  const bytes = bytesOfRow(width, page) * height;
  const short = planes.find((plane) => plane.length !== bytes);
  if (short) throw new Error(`${short.length} bytes are not the ${bytes} of a plane`);
  const levels = planes.slice(0, taken).map((plane) => levelsOf(plane, size, each, page));
  const data = each === taken ? levels[0] : takeSamples(levels, width * height, taken, each);
  const image = (pixels: Uint8Array, channels: number) => new RawImage(pixels, width, height, channels as Channels);
  if (photometric === "cmyk") return image(cmykToRgb(data), 3);
  const colored = photometric === "palette" ? applyPalette(data, page, alpha) : data;
  const channels = photometric === "palette" ? (alpha ? 4 : 3) : taken;
  if (extra === "multiplied alpha") divideByAlpha(colored, channels);
  return image(colored, channels);
}

/** A plane's samples as levels from 0 to 255; palette indices stay as they are. */
function levelsOf(plane: Uint8Array, { width, height }: Size, each: number, page: TiffPage): Uint8Array {
  const { bits, photometric, differences, part } = page;
  const row = width * each;
  if (bits < 8) return unpackBits(plane, row, height, page);
  const view = new DataView(plane.buffer, plane.byteOffset, plane.byteLength);
  if (differences) addDifferences(view, { row, height, each, part: part.width * each }, page);
  if (bits === 8) {
    if (photometric === "white") { for (let i = 0; i < plane.length; i++) plane[i] = 255 - plane[i]; }
    return plane;
  }
  const levels = new Uint8Array(row * height);
  if (photometric === "rgb" || photometric === "cmyk") {
    for (let i = 0; i < levels.length; i++) levels[i] = plane[2 * i + (page.littleEndian ? 1 : 0)];
    return levels;
  }
  const read = readerOf(view, page);
  // Grey of more than 8 bits is clipped, not scaled.
  for (let i = 0; i < levels.length; i++) levels[i] = Math.max(0, Math.min(255, read(i)));
  return levels;
}

/** A function that reads the i-th number of 16 or 32 bits. */
function readerOf(view: DataView, { bits, format, littleEndian }: TiffPage): (i: number) => number {
  if (format === "float") return (i) => view.getFloat32(4 * i, littleEndian);
  if (bits === 16) {
    return format === "int" ? (i) => view.getInt16(2 * i, littleEndian) : (i) => view.getUint16(2 * i, littleEndian);
  }
  // Pillow treats 32 bits as signed, whatever the file declares.
  return (i) => view.getInt32(4 * i, littleEndian);
}

/** Unpack samples of fewer than 8 bits, from a byte's high bits down; each row is padded to whole bytes. */
function unpackBits(plane: Uint8Array, row: number, height: number, { bits, photometric }: TiffPage): Uint8Array {
  const levels = new Uint8Array(row * height);
  const most = 2 ** bits - 1, perByte = 8 / bits, bytes = Math.ceil(row / perByte);
  const table = Uint8Array.from({ length: most + 1 }, (_, value) => {
    if (photometric === "palette") return value;
    return (photometric === "white" ? most - value : value) * 255 / most;
  });
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < row; x++) {
      const byte = plane[y * bytes + Math.floor(x / perByte)];
      levels[to++] = table[byte >> 8 - bits * (x % perByte + 1) & most];
    }
  }
  return levels;
}

/** Undo the horizontal predictor: a sample is stored as its difference from that of the pixel on its left in its tile. */
function addDifferences(
  view: DataView,
  { row, height, each, part }: Readonly<Record<"row" | "height" | "each" | "part", number>>,
  { bits, littleEndian }: TiffPage,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = y * row; x < row; x++, at++) {
      if (x % part < each) continue;
      if (bits === 8) view.setUint8(at, view.getUint8(at) + view.getUint8(at - each));
      else if (bits === 16) {
        const sum = view.getUint16(2 * at, littleEndian) + view.getUint16(2 * (at - each), littleEndian);
        view.setUint16(2 * at, sum, littleEndian);
      } else {
        const sum = view.getUint32(4 * at, littleEndian) + view.getUint32(4 * (at - each), littleEndian);
        view.setUint32(4 * at, sum, littleEndian);
      }
    }
  }
}

/** The first samples of each pixel, from one plane that has more of them or from one plane per sample. */
function takeSamples(levels: readonly Uint8Array[], pixels: number, taken: number, each: number): Uint8Array {
  const data = new Uint8Array(pixels * taken);
  for (let c = 0; c < taken; c++) {
    const plane = levels[levels.length > 1 ? c : 0];
    for (let from = levels.length > 1 ? 0 : c, to = c; to < data.length; from += each, to += taken) {
      data[to] = plane[from];
    }
  }
  return data;
}

/** Replace palette indices by their colours. */
function applyPalette(indices: Uint8Array, { colors, bits }: TiffPage, alpha: boolean): Uint8Array {
  const [step, channels] = alpha ? [2, 4] : [1, 3];
  const data = new Uint8Array(indices.length / step * channels);
  for (let from = 0, to = 0; from < indices.length; from += step, to += channels) {
    for (let c = 0; c < 3; c++) data[to + c] = colors![(c << bits) + indices[from]] >> 8;
    if (alpha) data[to + 3] = indices[from + 1];
  }
  return data;
}

/** Undo the multiplication of colours by alpha; fully transparent pixels become black. */
function divideByAlpha(data: Uint8Array, channels: number): void {
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1];
    for (let c = i; c < i + channels - 1; c++) {
      data[c] = alpha === 0 ? 0 : Math.min(255, Math.floor(data[c] * 255 / alpha));
    }
  }
}
