// What a JPEG says before its pixels, where it is of the most common kind (ITU-T T.81, annex B): see `readFrame`.
import { huffmanTable, naturalOrder } from "./_jpeg_entropy.ts";

/** A component of the frame: luma, blue or red. */
export interface Component {
  /** Blocks of it in an MCU, across and down. */
  readonly across: number;
  readonly down: number;
  /** Shape [8, 8]. */
  readonly quantisers: Int16Array;
  readonly dc: Int32Array;
  readonly ac: Int32Array;
}

/** A frame and its only scan. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly Component[];
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number;
  /** Where the coded bytes begin. */
  readonly start: number;
}

/**
 * Read a JPEG up to its coded bytes.
 *
 * @returns The frame, or undefined if the file is not of the most common kind: Huffman-coded in one sequential scan, 8 bits,
 * YCbCr of which the two colours are halved in both directions (4:2:0), across (4:2:2) or not at all (4:4:4).
 */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  const quantisers: Int16Array[] = [];
  const tables: { dc: (Int32Array | undefined)[]; ac: (Int32Array | undefined)[] } = { dc: [], ac: [] };
  let frame: Uint8Array | undefined;
  let restartInterval = 0, jfif = false, adobe: number | undefined;
  for (let at = 2; at + 4 <= bytes.length;) {
    const marker = bytes[at + 1];
    const end = at + 2 + (bytes[at + 2] << 8 | bytes[at + 3]);
    const body = bytes.subarray(at + 4, end);
    if (bytes[at] !== 0xff || end > bytes.length) return undefined;
    if (marker === 0xda) {
      const colors = jfif || adobe === 1 ||
        adobe === undefined && frame?.[6] === 1 && frame[9] === 2 && frame[12] === 3;
      const components = frame && colors && (adobe ?? 1) === 1 && readComponents(frame, body, quantisers, tables);
      if (!frame || !components) return undefined;
      const [height, width] = [frame[1] << 8 | frame[2], frame[3] << 8 | frame[4]];
      if (width < 8 || height === 0) return undefined; // libjpeg-turbo spreads colours of two samples in another way
      return { width, height, components, restartInterval, start: end };
    } else if (marker === 0xc0 || marker === 0xc1) {
      if (frame || body.length !== 15 || body[0] !== 8 || body[5] !== 3) return undefined;
      frame = body;
    } else if (marker === 0xdb) {
      for (let i = 0; i < body.length; i += 65) {
        if (body[i] > 3 || i + 65 > body.length) return undefined;
        const table = quantisers[body[i]] = new Int16Array(64);
        for (let k = 0; k < 64; k++) table[naturalOrder[k]] = body[i + 1 + k];
      }
    } else if (marker === 0xc4) {
      for (let i = 0; i < body.length;) {
        const counts = body.subarray(i + 1, i + 17);
        const next = i + 17 + counts.reduce((sum, count) => sum + count, 0);
        if ((body[i] & 0xec) !== 0 || next > body.length) return undefined;
        tables[body[i] >> 4 ? "ac" : "dc"][body[i] & 15] = huffmanTable(
          counts,
          body.subarray(i + 17, next),
          body[i] < 16,
        );
        i = next;
      }
    } else if (marker === 0xdd && body.length === 2) restartInterval = body[0] << 8 | body[1];
    else if (marker === 0xe0) jfif ||= String.fromCharCode(...body.subarray(0, 5)) === "JFIF\0";
    else if (marker === 0xee && String.fromCharCode(...body.subarray(0, 5)) === "Adobe") adobe = body[11];
    else if (marker < 0xe0 || marker > 0xef && marker !== 0xfe) return undefined;
    at = end;
  }
  return undefined;
}

function readComponents(
  frame: Uint8Array,
  scan: Uint8Array,
  quantisers: readonly Int16Array[],
  tables: { dc: readonly (Int32Array | undefined)[]; ac: readonly (Int32Array | undefined)[] },
): Component[] | undefined {
  const samplings = [frame[7], frame[10], frame[13]].join();
  if (!["34,17,17", "33,17,17", "17,17,17"].includes(samplings)) return undefined; // 2 x 2, 2 x 1 and 1 x 1 in hexadecimal
  if (scan.length !== 10 || scan[0] !== 3 || scan[7] !== 0 || scan[8] !== 63 || scan[9] !== 0) return undefined;
  const components: Component[] = [];
  for (let i = 0; i < 3; i++) {
    const [id, sampling, quantiser] = frame.subarray(6 + 3 * i, 9 + 3 * i);
    const [dc, ac] = [tables.dc[scan[2 + 2 * i] >> 4], tables.ac[scan[2 + 2 * i] & 15]];
    if (scan[1 + 2 * i] !== id || !quantisers[quantiser] || !dc || !ac) return undefined;
    components.push({ across: sampling >> 4, down: sampling & 15, quantisers: quantisers[quantiser], dc, ac });
  }
  return components;
}
