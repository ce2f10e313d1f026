// A WebP's size, orientation and chunks (WebP container specification; VP8: RFC 6386, VP8L: its specification).
import { FormatError } from "../../../errors/mod.ts";
import { orientationOf } from "./orientation.ts";
import type { ImageHeader } from "./image_header.ts";

/**
 * Read a WebP's header and walk over its chunks.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If the file ends early, or holds no picture.
 */
export function readWebpHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read WebP ${name}: ${what}`, { file: name, offset });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) fail(`its header declares ${end} bytes, but the file has ${bytes.length}`, 4);
  let size: [number, number] | undefined;
  let alpha = false;
  let exif: Uint8Array | undefined, xmp: string | undefined;
  for (let at = 12; at + 8 <= end;) {
    const kind = String.fromCharCode(...bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    if (body + length > end) fail(`chunk ${kind} has ${length} bytes, but ${end - body} are left`, at);
    if (kind === "VP8X" && length >= 10) {
      alpha ||= (bytes[body] & 0x10) !== 0;
      size = [1 + (view.getUint32(body + 3, true) >>> 8), 1 + (view.getUint32(body + 6, true) >>> 8)];
    } else if (kind === "VP8 " && length >= 10) {
      size ??= [view.getUint16(body + 6, true) & 0x3fff, view.getUint16(body + 8, true) & 0x3fff];
    } else if (kind === "VP8L" && length >= 5) {
      const packed = view.getUint32(body + 1, true);
      alpha ||= (packed >>> 28 & 1) === 1;
      size ??= [1 + (packed & 0x3fff), 1 + (packed >>> 14 & 0x3fff)];
    } else if (kind === "EXIF") exif = bytes.subarray(body, body + length);
    else if (kind === "XMP ") xmp = new TextDecoder("latin1").decode(bytes.subarray(body, body + length));
    at = body + length + length % 2;
  }
  if (!size) return fail("it has no picture (VP8, VP8L), and one was expected", bytes.length);
  const [width, height] = size;
  return { format: "webp", width, height, bits: 8, color: "rgb", alpha, orientation: orientationOf({ exif, xmp }) };
}
