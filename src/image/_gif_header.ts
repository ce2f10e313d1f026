// A GIF's screen and the outline of its blocks up to the end of the first frame (GIF89a specification).
import { FormatError } from "../errors.ts";
import type { ImageHeader } from "./image_header.ts";

/**
 * Read a GIF's header and walk over its blocks to the end of the first frame.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If the file ends before its first frame does.
 */
export function readGifHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Could not read GIF ${name}: ${what}`, { file: name, offset });
  };
  const cut = (): never => fail(`the file ends after ${bytes.length} bytes, within its first frame`, bytes.length);
  if (bytes.length < 13) cut();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tableSize = (flags: number): number => flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
  const skipBlocks = (at: number): number => {
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at] + 1;
    return at < bytes.length ? at + 1 : cut();
  };
  let alpha = false;
  for (let at = 13 + tableSize(bytes[10]); at < bytes.length;) {
    if (bytes[at] === 0x21) {
      // A graphic control extension says whether one colour is transparent.
      if (bytes[at + 1] === 0xf9 && at + 3 < bytes.length) alpha = (bytes[at + 3] & 1) === 1;
      at = skipBlocks(at + 2);
    } else if (bytes[at] === 0x2c) {
      if (at + 11 > bytes.length) cut();
      skipBlocks(at + 11 + tableSize(bytes[at + 9]));
      const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
      const entry = 13 + 3 * bytes[11]; // of the screen's palette
      const background = alpha || !(bytes[10] & 0x80) ? undefined : [bytes[entry], bytes[entry + 1], bytes[entry + 2]];
      const known = background as ImageHeader["background"];
      return { format: "gif", width, height, bits: 8, color: "palette", alpha, background: known, orientation: 1 };
    } else if (bytes[at] === 0x3b) break;
    else fail(`byte ${at} is ${bytes[at]}, and an extension (33) or a frame (44) was expected`, at);
  }
  return fail("it has no frame, and one was expected", bytes.length);
}
