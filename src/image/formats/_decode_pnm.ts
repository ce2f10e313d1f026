// PBM, PGM and PPM (netpbm's formats P1 to P6), whose samples are not compressed: after the header the file is the
// picture's numbers. Levels become 8 bits by Pillow's arithmetic.
import { FormatError } from "../../errors/mod.ts";
import { RawImage } from "../raw_image.ts";
import type { Decoder, ImageHeader } from "./headers/image_header.ts";

/** A number of the header, after white space and comments, which go to the end of their line. */
const number = /(?:[\s\v]|#[^\r\n]*[\r\n])*([0-9]{1,9})/y;

/**
 * Read a PNM's header, and check that there is room for all of its samples.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If a field has an invalid value, or the file ends early.
 */
export function readPnmHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read PNM ${name}: ${what}`, { file: name, offset });
  };
  const kind = bytes[1] - 0x30;
  const beginning = new TextDecoder("latin1").decode(bytes.subarray(0, longestHeader));
  number.lastIndex = 2;
  const [width, height, most] = [1, 2, ...(kind % 3 === 1 ? [] : [3])].map(() => {
    const at = number.lastIndex;
    return Number(number.exec(beginning)?.[1] ?? fail("its header lacks a number", at));
  });
  const start = number.lastIndex + 1;
  if (most !== undefined && !(most > 0 && most < 65536)) {
    fail(`its white is ${most}, and 1 to 65535 are possible`, start);
  }
  const colored = kind % 3 === 0, text = kind <= 3;
  // A digit, and but for bits a space after it, is the least that a sample takes as text; the last space may be missing.
  const row = most === undefined
    ? (text ? width : Math.ceil(width / 8))
    : width * (colored ? 3 : 1) * (text || most > 255 ? 2 : 1);
  const least = row * height - (text && most !== undefined ? 1 : 0);
  if (start + least > bytes.length) {
    fail(`its rows take ${least} bytes or more from byte ${start} on, but the file has ${bytes.length}`, start);
  }
  return {
    format: "pnm",
    width,
    height,
    color: colored ? "rgb" : "grey",
    alpha: false,
    bits: most === undefined ? 1 : most > 255 ? 16 : 8,
    orientation: 1,
    pnm: { text, most, start },
  };
}

/** The most bytes of a header, comments included. */
const longestHeader = 2 ** 16;

/** The decoder; it returns grey or RGB. */
export const decodePnm: Decoder = (bytes, header, transform = (image) => image) => {
  const { width, height, color } = header;
  const { text, most, start } = header.pnm!;
  const channels = color === "grey" ? 1 : 3;
  const samples = new Uint8Array(width * height * channels);
  const data = bytes.subarray(start);
  if (most === undefined) text ? readDigits(data, samples) : readBits(data, samples, width);
  else {
    const level = levelsOf(most, channels);
    if (text) readNumbers(data, samples, level);
    else if (most > 255) {
      for (let i = 0; i < samples.length; i++) samples[i] = level[data[2 * i] << 8 | data[2 * i + 1]];
    } else for (let i = 0; i < samples.length; i++) samples[i] = level[data[i]];
  }
  return Promise.resolve(transform(new RawImage(samples, width, height, channels)));
};

/** Each level as one of 255, ties to even; grey of more than 8 bits is scaled to 16 bits and clipped at 255. */
function levelsOf(most: number, channels: number): Uint8Array {
  const white = channels === 1 && most > 255 ? 65535 : 255;
  return Uint8Array.from({ length: most > 255 ? 65536 : 256 }, (_, level) => {
    const exact = level / most * white;
    const down = Math.floor(exact);
    const odd = down % 2;
    return Math.min(255, exact - down === 0.5 ? down + odd : Math.round(exact));
  });
}

/** Read bits, the highest of a byte first; 1 is black, and each row is padded to whole bytes. */
function readBits(data: Uint8Array, samples: Uint8Array, width: number): void {
  const row = Math.ceil(width / 8);
  for (let i = 0; i < samples.length; i++) {
    const x = i % width, y = (i - x) / width;
    samples[i] = data[y * row + (x >> 3)] >> 7 - (x & 7) & 1 ? 0 : 255;
  }
}

/** Read decimal numbers with white space between them. */
function readNumbers(data: Uint8Array, samples: Uint8Array, level: Uint8Array): void {
  let at = 0;
  for (let i = 0; i < samples.length; i++) {
    at = afterSpace(data, at);
    const from = at;
    let value = 0;
    for (; data[at] >= 0x30 && data[at] <= 0x39; at++) value = 10 * value + data[at] - 0x30;
    if (at === from || value >= level.length) throw new Error(`sample ${i} is no level`);
    samples[i] = level[value];
  }
}

/** Read the digits 0 and 1, with or without white space between them; 1 is black. */
function readDigits(data: Uint8Array, samples: Uint8Array): void {
  let at = 0;
  for (let i = 0; i < samples.length; i++, at++) {
    at = afterSpace(data, at);
    if (data[at] !== 0x30 && data[at] !== 0x31) throw new Error(`sample ${i} is neither 0 nor 1`);
    samples[i] = data[at] === 0x31 ? 0 : 255;
  }
}

/** The next position that is neither white space nor in a comment. */
function afterSpace(data: Uint8Array, at: number): number {
  for (;; at++) {
    if (data[at] === 0x23) { while (at < data.length && data[at] !== 10 && data[at] !== 13) at++; }
    else if (data[at] !== 32 && !(data[at] >= 9 && data[at] <= 13)) return at;
  }
}
