// What a picture's first bytes say: its format, its size and how it is to be turned. Nothing is decoded here, so that a
// picture that is too large, cut short or no picture at all is refused before memory is taken.
import { FormatError } from "../errors.ts";
import { readJpegHeader } from "./_jpeg_header.ts";
import { readPngHeader } from "./_png_header.ts";

/** The picture formats that are read. */
export type ImageFormat = "png" | "jpeg";

/** What a picture's header says. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Pixels a row, as stored. */
  readonly width: number;
  /** Rows, as stored. */
  readonly height: number;
  /** The EXIF orientation, 1 to 8. */
  readonly orientation: number;
  /** How the samples are stored. */
  readonly color: "grey" | "rgb" | "palette" | "cmyk" | "ycck";
  /** Whether some places may be transparent. */
  readonly alpha: boolean;
  /** Bits a sample. */
  readonly bits: number;
}

const signatures: readonly { format: ImageFormat; bytes: readonly number[] }[] = [
  { format: "png", bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { format: "jpeg", bytes: [0xff, 0xd8, 0xff] },
];

/** Tell a picture's format by its first bytes; undefined where it is none that is read. */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
  return signatures.find((signature) => signature.bytes.every((byte, i) => bytes[i] === byte))?.format;
}

/**
 * Read a picture's header and check that the file is complete.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {FormatError} If it is no picture of a format that is read, or is cut short or malformed.
 */
export function readHeader(bytes: Uint8Array, name: string): ImageHeader {
  if (bytes.length === 0) {
    throw new FormatError(`Could not read picture ${name}: it is empty, and a picture was expected`, { file: name });
  }
  const format = sniff(bytes);
  if (!format) {
    const what = looksLikeText(bytes) ? "it holds text" : `it begins with bytes ${hex(bytes.subarray(0, 8))}`;
    throw new FormatError(`Could not read picture ${name}: ${what}, and a PNG or JPEG was expected`, { file: name });
  }
  const header = format === "png" ? readPngHeader(bytes, name) : readJpegHeader(bytes, name);
  if (header.width === 0 || header.height === 0) {
    throw new FormatError(
      `Could not read picture ${name}: its header says ${header.width} x ${header.height}, and both sides must be positive`,
      { file: name },
    );
  }
  return header;
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 64).every((byte) => byte >= 0x20 && byte < 0x7f || byte === 9 || byte === 10 || byte === 13);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
