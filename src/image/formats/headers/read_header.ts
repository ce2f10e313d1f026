// Reads a picture's header: its format, size and orientation. Nothing is decoded here, so that a picture that is too large,
// cut short or no picture at all is refused before memory is allocated.
import { FormatError } from "../../../errors/mod.ts";
import { refuseLfsPointer } from "../../../hub/lfs_pointer.ts";
import type { ImageFormat, ImageHeader } from "./image_header.ts";
import { sniff } from "./signatures.ts";

/** How files of other formats begin, as text, so that the message can name the format. */
const others: readonly (readonly [name: string, beginning: RegExp])[] = [
  ["HEIC", /^....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)/s],
  ["JPEG XL", /^(\xff\n|\0{3}.JXL )/],
  ["JPEG 2000", /^(\xffO\xffQ|\0{3}.jP {2})/],
  ["icon", /^\0\0[^\0]\0/],
  ["SVG", /^[^<]*<(\?xml[^>]*>[^<]*<)?(!--.*?-->\s*<|!DOCTYPE svg[^>]*>\s*<)*svg[\s>]/s],
  ["PDF", /^%PDF-/],
  ["PSD", /^8BPS/],
  ["PAM", /^P7\s/],
  ["PFM", /^P[Ff]4?\s/],
];

type HeaderReader = (bytes: Uint8Array, name: string, page: number) => ImageHeader | Promise<ImageHeader>;

/** A reader is loaded when the first picture of its format is read. */
const readers: Readonly<Record<ImageFormat, () => Promise<HeaderReader>>> = {
  png: async () => (await import("./png_header.ts")).readPngHeader,
  jpeg: async () => (await import("./jpeg_header.ts")).readJpegHeader,
  gif: async () => (await import("./gif_header.ts")).readGifHeader,
  webp: async () => (await import("./webp_header.ts")).readWebpHeader,
  bmp: async () => (await import("./bmp_header.ts")).readBmpHeader,
  tiff: async () => (await import("../tiff/tiff_header.ts")).readTiffHeader,
  avif: async () => (await import("./avif_header.ts")).readAvifHeader,
  pnm: async () => (await import("../_decode_pnm.ts")).readPnmHeader,
};

/**
 * Read a picture's header and check that the file is complete.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @param page Which picture of a file with several, from 1 on.
 * @throws {FormatError} If it is no picture of a format that is read, is cut short or malformed, or has no such page.
 */
export async function readHeader(bytes: Uint8Array, name: string, page = 1): Promise<ImageHeader> {
  if (bytes.length === 0) {
    throw new FormatError(`Cannot read picture ${name}: it is empty, expected a picture`, { file: name });
  }
  refuseLfsPointer(bytes, name);
  const format = sniff(bytes);
  if (!format) {
    const what = describe(bytes);
    throw new FormatError(
      `Cannot read picture ${name}: ${what}, expected a PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF or PNM`,
      { file: name },
    );
  }
  if (page > 1 && format !== "tiff") {
    throw new FormatError(
      `Cannot read page ${page} of picture ${name}: it is a ${format.toUpperCase()}, of which the first picture is read; ` +
        "expected a TIFF",
      { file: name },
    );
  }
  const header = await (await readers[format]())(bytes, name, page);
  if (header.width === 0 || header.height === 0) {
    throw new FormatError(
      `Cannot read picture ${name}: its header says ${header.width} x ${header.height}, and both sides must be positive`,
      { file: name },
    );
  }
  return header;
}

function describe(bytes: Uint8Array): string {
  const beginning = String.fromCharCode(...bytes.subarray(0, 1024));
  const other = others.find(([, pattern]) => pattern.test(beginning));
  if (other) return `it is a file of kind ${other[0]}`;
  return looksLikeText(bytes) ? "it holds text" : `it begins with bytes ${hex(bytes.subarray(0, 8))}`;
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 64).every((byte) => byte >= 0x20 && byte < 0x7f || byte === 9 || byte === 10 || byte === 13);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
