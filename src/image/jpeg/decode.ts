// JPEG pixels, sequential and progressive, as libjpeg-turbo decodes them with its defaults: accurate inverse DCT and fancy
// upsampling. The bits are read in scan.ts; kernels.ts does what touches every pixel. CMYK becomes RGB as in Pillow.
import { RawImage } from "../raw_image.ts";
import { type Frame, type JpegColors, walkJpeg } from "./frame.ts";
import { Planes } from "./planes.ts";
import { type Component, decodeScan } from "./scan.ts";
import { DecodeError } from "../decode_error.ts";

/** Rows of the picture that are put together before they are copied out. */
const rowsAtOnce = 16;

/** A progressive picture has about ten scans; thousands of empty ones would only take time. */
const mostScans = 300;

/**
 * Decode a JPEG.
 *
 * @param bytes The whole file.
 * @returns Grey for one component, else RGB.
 * @throws {DecodeError} If it is malformed or its data ends early.
 */
export function decodeJpeg(bytes: Uint8Array): RawImage {
  let frame: Frame | undefined;
  let planes: Planes | undefined;
  let scans = 0;
  const seen = new Set<Component>();
  const colors = walkJpeg(bytes, {
    frame: (found) => frame = found,
    scan(scan, data, quantisers) {
      if (++scans > mostScans) throw new DecodeError(`it has more than ${mostScans} scans`);
      const components = scan.components.map(({ component }) => component);
      // One scan of all components needs no more than a row of coefficients at a time.
      planes ??= new Planes(
        frame!,
        !scan.progressive && components.length === frame!.components.length,
        rowsAtOnce * frame!.width * 3 + 32,
      );
      if (!scan.progressive && components.some((component) => seen.has(component))) {
        throw new DecodeError("it has two scans of one component");
      }
      planes.quantise(components, quantisers);
      const { streaming } = planes;
      decodeScan(data, scan, (row) => streaming && planes!.transformRow(row));
      components.forEach((component) => seen.add(component));
    },
  });
  if (!frame || !planes || seen.size < frame.components.length) throw new DecodeError("a component has no scan");
  if (!planes.streaming) { for (let row = 0; row < frame.mcusHigh; row++) planes.transformRow(row); }
  planes.closeRows();
  return new RawImage(putTogether(planes, colors), frame.width, frame.height, frame.components.length === 1 ? 1 : 3);
}

function putTogether(planes: Planes, colors: JpegColors): Uint8Array {
  const { frame: { width, height, components }, memory, outputAt } = planes;
  const writeRow = rowWriter(planes, colors);
  const bytes = width * (components.length === 1 ? 1 : 3);
  const result = new Uint8Array(height * bytes);
  for (let top = 0; top < height; top += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, height - top);
    for (let y = 0; y < rows; y++) writeRow(top + y, outputAt + y * bytes);
    result.set(memory.subarray(outputAt, outputAt + rows * bytes), top * bytes);
  }
  return result;
}

/** How a row comes from the components' rows; the choice of colours is libjpeg's (jdapimin.c, default_decompress_parms). */
function rowWriter(planes: Planes, colors: JpegColors): (y: number, target: number) => void {
  const { frame: { width, components }, memory, kernels } = planes;
  const toRgb = (y: number, target: number): void =>
    kernels.toRgb(planes.row(0, y), planes.row(1, y), planes.row(2, y), target, target + 3 * width);
  const interleave = (y: number, target: number, invert: number): void => {
    for (let c = 0; c < 3; c++) {
      const row = planes.row(c, y);
      for (let x = 0; x < width; x++) memory[target + 3 * x + c] = memory[row + x] ^ invert;
    }
  };
  if (components.length === 1) {
    return (y, target) => memory.copyWithin(target, planes.row(0, y), planes.row(0, y) + width);
  }
  if (components.length === 3) {
    const letters = String.fromCharCode(...components.map(({ id }) => id)) === "RGB";
    const stored = !colors.jfif && (colors.adobeTransform === undefined ? letters : colors.adobeTransform === 0);
    return stored ? (y, target) => interleave(y, target, 0) : toRgb;
  }
  const plain = colors.adobeTransform === undefined || colors.adobeTransform === 0;
  return (y, target) => {
    if (plain) interleave(y, target, 255);
    else toRgb(y, target);
    layOnBlack(memory, target, planes.row(3, y), width);
  };
}

/** Inks to RGB (Pillow's Convert.c, cmyk2rgb): Adobe stores all four inverted, and Pillow takes that for granted. */
function layOnBlack(memory: Uint8Array, target: number, black: number, width: number): void {
  for (let x = 0; x < width; x++) {
    const light = memory[black + x];
    for (let at = target + 3 * x; at < target + 3 * x + 3; at++) {
      const product = memory[at] * light + 128;
      memory[at] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
}
