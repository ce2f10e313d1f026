// A JPEG's frame header, its EXIF orientation and the outline of its segments (ITU-T T.81, annex B).
import { FormatError } from "../../../errors/mod.ts";
import { orientationOf } from "./orientation.ts";
import type { ImageHeader } from "./image_header.ts";

/** The bytes that an XMP segment begins with. */
const xmpMark = "http://ns.adobe.com/xap/1.0/\0";

/** Every scan covers all pixels; encoders write about ten. More than 20 are decoded only of pictures that are small enough. */
const scansOfAnySize = 20;
const mostScannedPixels = 20 * 64e6;

/**
 * The most segments and tables: decoders do some work for each, so that a file of nothing else would take seconds. Files
 * have some dozens, 255 more with a large colour profile.
 */
const mostSegments = 10_000;
/** The fewest bytes of a table in a segment of such tables, by marker: of Huffman codes, of quantisation. */
const leastTable: Readonly<Record<number, number>> = { 0xc4: 17, 0xdb: 65 };

/**
 * The blocks of 8 x 8 values that a frame header asks for. Each takes a bit at the least, that of its mean; libraries make
 * grey ones of those that are missing, which would take as long as a whole picture.
 */
function blocksOf(frame: Uint8Array, { width, height, components }: Omit<Frame, "blocks">): number {
  if (components === 1) return Math.ceil(width / 8) * Math.ceil(height / 8);
  const samplings = Array.from({ length: components }, (_, i) => frame[7 + 3 * i] ?? 0);
  const [across, down] = [samplings.map((sampling) => sampling >> 4), samplings.map((sampling) => sampling & 15)];
  const along = (size: number, share: number, most: number) => Math.ceil(size * share / most / 8) || 0;
  const [widest, highest] = [Math.max(...across), Math.max(...down)];
  return samplings.reduce((sum, _, i) => sum + along(width, across[i], widest) * along(height, down[i], highest), 0);
}

/** What a frame header says. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly components: number;
  readonly blocks: number;
}

function readFrame(body: Uint8Array): Frame {
  const [bits, height, width, components] = [body[0], body[1] << 8 | body[2], body[3] << 8 | body[4], body[5]];
  const frame = { width, height, bits, components };
  return { ...frame, blocks: blocksOf(body, frame) };
}

/** Make a function that counts segments and their tables, and fails at too many. */
function segmentCounter(fail: (what: string, offset: number) => never) {
  let segments = 0;
  return (marker: number, length: number, at: number): void => {
    segments += 1 + Math.floor(length / (leastTable[marker] ?? Infinity));
    if (segments > mostSegments) fail(`it has more than ${mostSegments} segments and tables`, at);
  };
}

/**
 * Read a JPEG's frame header and walk over its segments to the end marker.
 *
 * @param bytes The whole file, whose start marker has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If it has no frame, more than 10,000 segments and tables, is of a kind that is not read, or ends before its end marker.
 */
export function readJpegHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read JPEG ${name}: ${what}`, { file: name, offset });
  };
  const cut = (): never => fail(`the file ends after ${bytes.length} bytes without its end marker`, bytes.length);
  const countSegment = segmentCounter(fail);
  let frame: Frame | undefined;
  let exif: Uint8Array | undefined, xmp: string | undefined;
  let adobeTransform = 0, scans = 0;
  for (let at = 2;;) {
    // Entropy-coded data: an FF is a marker unless 00 (a stuffed FF) or a restart marker follows.
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) cut();
    const marker = bytes[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker === 0 || marker === 1 || marker >= 0xd0 && marker <= 0xd8) at += 2;
    else if (marker === 0xd9) break;
    else {
      if (at + 4 > bytes.length) cut();
      const length = bytes[at + 2] << 8 | bytes[at + 3];
      const body = bytes.subarray(at + 4, at + 2 + length);
      if (length < 2 || at + 2 + length > bytes.length) cut();
      countSegment(marker, body.length, at);
      if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
        if (body.length < 6) fail(`its frame header has ${body.length} bytes, and at least 6 were expected`, at);
        if (![0xc0, 0xc1, 0xc2].includes(marker) || body[0] !== 8) {
          fail(`it is coded by process SOF${marker - 0xc0} with ${body[0]} bits; Huffman-coded 8 bits are read`, at);
        }
        frame ??= readFrame(body);
      } else if (marker === 0xe1 && ascii(body, 6) === "Exif\0\0") exif ??= body;
      else if (marker === 0xe1 && ascii(body, xmpMark.length) === xmpMark) xmp = new TextDecoder("latin1").decode(body);
      else if (marker === 0xee && ascii(body, 5) === "Adobe") adobeTransform = body[11] ?? 0;
      else if (marker === 0xda) scans++;
      at += 2 + length;
    }
  }
  if (!frame) return fail("it has no frame header (SOF), its size", bytes.length);
  if (scans === 0) fail("it has no scan (SOS), the pixels", bytes.length);
  const { width, height, bits, blocks } = frame;
  if (scans > scansOfAnySize && scans * width * height > mostScannedPixels) {
    fail(
      `it has ${scans} scans of ${width} x ${height} pixels; ${mostScannedPixels} pixels are read in all`,
      bytes.length,
    );
  }
  if (blocks > 8 * bytes.length) {
    fail(`its ${bytes.length} bytes are too few for ${width} x ${height} pixels, ${blocks} blocks of a bit or more`, 0);
  }
  const color = frame.components === 1
    ? "grey"
    : frame.components === 3
    ? "rgb"
    : frame.components !== 4
    ? fail(`it has ${frame.components} components; 1 (grey), 3 (colour) and 4 (CMYK) are read`, bytes.length)
    : adobeTransform === 2
    ? "ycck"
    : "cmyk";
  return { format: "jpeg", width, height, bits, color, alpha: false, orientation: orientationOf({ exif, xmp }) };
}

function ascii(bytes: Uint8Array, length: number): string {
  return String.fromCharCode(...bytes.subarray(0, length));
}
