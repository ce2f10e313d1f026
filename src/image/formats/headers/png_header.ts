// A PNG's header and the outline of its chunks (PNG specification, third edition, sections 5 and 11.2).
import { FormatError } from "../../../errors/mod.ts";
import { orientationOf } from "./orientation.ts";
import { holdsMetadata, readTexts, type TextChunk } from "./_png_text.ts";
import type { ImageHeader } from "./image_header.ts";

const colors: Readonly<Record<number, { color: ImageHeader["color"]; bits: readonly number[] }>> = {
  0: { color: "grey", bits: [1, 2, 4, 8, 16] },
  2: { color: "rgb", bits: [8, 16] },
  3: { color: "palette", bits: [1, 2, 4, 8] },
  4: { color: "grey", bits: [8, 16] },
  6: { color: "rgb", bits: [8, 16] },
};

/** The most bytes that a byte of Deflate can stand for: 258 by a bit for their number and one for their place. */
const mostDeflated = 1032;

/**
 * Read a PNG's header and walk over its chunks.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If a field has an invalid value, or the file ends early.
 */
export async function readPngHeader(bytes: Uint8Array, name: string): Promise<ImageHeader> {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read PNG ${name}: ${what}`, { file: name, offset });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33) fail(`the file ends after ${bytes.length} bytes, within its header`, bytes.length);
  if (chunkType(view, 12) !== "IHDR" || view.getUint32(8) !== 13) fail("its first chunk must be IHDR of 13 bytes", 8);
  const [width, height, bits, type] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25]];
  const known = colors[type];
  if (!known?.bits.includes(bits)) fail(`colour type ${type} with ${bits} bits does not exist`, 24);
  const header = {
    format: "png" as const,
    width,
    height,
    color: known.color,
    bits,
    alpha: type === 4 || type === 6,
    orientation: 1,
  };
  let hasPalette = false, data: number | undefined;
  let exif: Uint8Array | undefined;
  const texts: TextChunk[] = [];
  for (let at = 8;;) {
    if (at + 12 > bytes.length) fail(`the file ends after ${bytes.length} bytes without an IEND chunk`, at);
    const length = view.getUint32(at);
    const kind = chunkType(view, at + 4);
    if (kind === "IEND") break;
    if (at + 12 + length > bytes.length) {
      fail(`chunk ${kind} has ${length} bytes, but the file ends after ${bytes.length - at - 8} of them`, at);
    }
    if (kind === "PLTE") hasPalette = true;
    // Pillow ignores the transparent value of 16-bit grey.
    if (kind === "tRNS") header.alpha ||= !(type === 0 && bits === 16);
    if (kind === "IDAT") data = (data ?? 0) + length;
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "eXIf") exif = body;
    else if (holdsMetadata([kind, body])) texts.push([kind, body]);
    at += 12 + length;
  }
  if (data === undefined) return fail("it has no IDAT chunk, the pixels", bytes.length);
  const samples = type === 3 ? 1 : (known.color === "rgb" ? 3 : 1) + Number(header.alpha && type >= 4);
  if (width * height * samples * bits / 8 > mostDeflated * data) {
    fail(`its ${data} bytes of pixels are too few for ${width} x ${height}`, bytes.length);
  }
  if (type === 3 && !hasPalette) fail("its colours come from a palette, but it has no PLTE chunk", bytes.length);
  const inTexts = await readTexts(texts);
  header.orientation = orientationOf({ ...inTexts, exif: exif ?? inTexts.exif });
  return header;
}

function chunkType(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}
