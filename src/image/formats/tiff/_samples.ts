// From the bytes of a TIFF's page, which are not compressed any more, to a picture of 8 bits, by Pillow's arithmetic.
import { inksToRgb } from "../_inks.ts";
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
 * @param planes Each plane's rows; one plane with a pixel's samples together, unless they are stored apart. They may be
 * written to.
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
  if (photometric === "cmyk") return image(inksToRgb(data), 3);
  const colored = photometric === "palette" ? paint(data, page, alpha) : data;
  const channels = photometric === "palette" ? (alpha ? 4 : 3) : taken;
  if (extra === "multiplied alpha") divideByAlpha(colored, channels);
  return image(colored, channels);
}

/** A plane's samples as levels from 0 to 255; the numbers of colours stay. */
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
  // Grey of more bits is clipped, not scaled.
  for (let i = 0; i < levels.length; i++) levels[i] = Math.max(0, Math.min(255, read(i)));
  return levels;
}

/** Reads numbers of 16 and 32 bits by their place in a row of them. */
function readerOf(view: DataView, { bits, format, littleEndian }: TiffPage): (i: number) => number {
  if (format === "float") return (i) => view.getFloat32(4 * i, littleEndian);
  if (bits === 16) {
    return format === "int" ? (i) => view.getInt16(2 * i, littleEndian) : (i) => view.getUint16(2 * i, littleEndian);
  }
  // Pillow holds 32 bits with a sign, whatever the file says.
  return (i) => view.getInt32(4 * i, littleEndian);
}

/** Samples of fewer than 8 bits, the first of a byte in its high bits; rows end with their byte. */
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

/** Undo the horizontal predictor: a sample is stored as its distance from the one of the pixel on its left in its tile. */
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

/** The first samples of each pixel, from one plane that has more of them, or from a plane for each. */
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

/** The colours of a palette in the place of their numbers. */
function paint(numbers: Uint8Array, { colors, bits }: TiffPage, alpha: boolean): Uint8Array {
  const [step, channels] = alpha ? [2, 4] : [1, 3];
  const data = new Uint8Array(numbers.length / step * channels);
  for (let from = 0, to = 0; from < numbers.length; from += step, to += channels) {
    for (let c = 0; c < 3; c++) data[to + c] = colors![(c << bits) + numbers[from]] >> 8;
    if (alpha) data[to + 3] = numbers[from + 1];
  }
  return data;
}

/** Colours that were multiplied by their alpha as they were; what is wholly transparent is black. */
function divideByAlpha(data: Uint8Array, channels: number): void {
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1];
    for (let c = i; c < i + channels - 1; c++) {
      data[c] = alpha === 0 ? 0 : Math.min(255, Math.floor(data[c] * 255 / alpha));
    }
  }
}
