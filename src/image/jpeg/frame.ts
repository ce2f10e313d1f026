// A JPEG's segments from start to end (ITU-T T.81, annex B): tables are kept as they come, and each scan is handed on.
import { buildTable, type HuffmanTable, naturalOrder } from "./huffman.ts";
import type { Component, Scan } from "./scan.ts";
import { DecodeError } from "../decode_error.ts";

/** A frame: the picture's size, its components, and how their colours are to be read. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
  /** The largest sampling factors. */
  readonly horizontal: number;
  readonly vertical: number;
  readonly mcusWide: number;
  readonly mcusHigh: number;
}

/** What comes out of a JPEG's segments, in order. */
export interface JpegVisitor {
  frame(frame: Frame): void;
  /** A scan, the bytes after its header up to the next marker, and the quantisers by number (natural order). */
  scan(scan: Scan, data: Uint8Array, quantisers: readonly (Int16Array | undefined)[]): void;
}

/** What the application markers say of the colours. */
export interface JpegColors {
  /** The Adobe marker's colour transform, or undefined without one. */
  readonly adobeTransform?: number;
  readonly jfif: boolean;
}

/**
 * Walk over a JPEG's segments.
 *
 * @param bytes The whole file.
 * @throws {DecodeError} If a segment is malformed.
 */
export function walkJpeg(bytes: Uint8Array, visitor: JpegVisitor): JpegColors {
  const quantisers: (Int16Array | undefined)[] = [];
  const tables: { dc: (HuffmanTable | undefined)[]; ac: (HuffmanTable | undefined)[] } = { dc: [], ac: [] };
  let frame: Frame | undefined;
  let restartInterval = 0, jfif = false;
  let adobeTransform: number | undefined;
  for (let at = 2; at + 4 <= bytes.length;) {
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === 0xff) {
      at++; // fill bytes, and what writers left between segments
      continue;
    }
    if (marker === 0xd9) break;
    if (marker === 0 || marker === 1 || marker >= 0xd0 && marker <= 0xd8) {
      at += 2;
      continue;
    }
    const length = bytes[at + 2] << 8 | bytes[at + 3];
    const body = bytes.subarray(at + 4, at + 2 + length);
    if (length < 2 || at + 2 + length > bytes.length) {
      throw new DecodeError(`segment ${marker} is longer than the file`);
    }
    at += 2 + length;
    if (marker === 0xdb) readQuantisers(body, quantisers);
    else if (marker === 0xc4) readHuffman(body, tables);
    else if (marker === 0xdd) restartInterval = body[0] << 8 | body[1];
    else if (marker === 0xe0) jfif ||= ascii(body, "JFIF\0");
    else if (marker === 0xee) adobeTransform = ascii(body, "Adobe") ? body[11] : adobeTransform;
    else if (marker >= 0xc0 && marker <= 0xc2) {
      if (frame) throw new DecodeError("it has two frames");
      visitor.frame(frame = readFrame(body, marker === 0xc2));
    } else if (marker === 0xda) {
      if (!frame) throw new DecodeError("a scan comes before the frame");
      const end = endOfScan(bytes, at);
      visitor.scan(readScan(body, frame, tables, restartInterval), bytes.subarray(at, end), quantisers);
      at = end;
    }
  }
  return { adobeTransform, jfif };
}

function ascii(bytes: Uint8Array, text: string): boolean {
  return [...text].every((character, i) => bytes[i] === character.charCodeAt(0));
}

/** Where the next marker stands that is no restart. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at)) {
    const next = bytes[at + 1];
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
    at += next === 0xff ? 1 : 2;
  }
  return bytes.length;
}

function readQuantisers(body: Uint8Array, quantisers: (Int16Array | undefined)[]): void {
  for (let at = 0; at < body.length;) {
    const wide = body[at] >> 4;
    const size = wide ? 128 : 64;
    if (wide > 1 || at + 1 + size > body.length) throw new DecodeError("a quantisation table is malformed");
    const table = new Int16Array(64);
    for (let i = 0; i < 64; i++) {
      const entry = at + 1 + (wide ? 2 * i : i);
      table[naturalOrder[i]] = wide ? body[entry] << 8 | body[entry + 1] : body[entry];
    }
    quantisers[body[at] & 15] = table;
    at += 1 + size;
  }
}

function readHuffman(
  body: Uint8Array,
  tables: { dc: (HuffmanTable | undefined)[]; ac: (HuffmanTable | undefined)[] },
): void {
  for (let at = 0; at < body.length;) {
    const counts = body.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const table = counts.length < 16 || at + 17 + total > body.length
      ? undefined
      : buildTable(counts, body.slice(at + 17, at + 17 + total));
    if (!table) throw new DecodeError("a Huffman table is malformed");
    tables[body[at] >> 4 ? "ac" : "dc"][body[at] & 15] = table;
    at += 17 + total;
  }
}

function readFrame(body: Uint8Array, progressive: boolean): Frame {
  const [height, width, count] = [body[1] << 8 | body[2], body[3] << 8 | body[4], body[5]];
  if (body[0] !== 8 || width === 0 || height === 0 || body.length < 6 + 3 * count) {
    throw new DecodeError("its frame header is malformed");
  }
  const factors = Array.from({ length: count }, (_, i) => {
    const [id, sampling, quantiser] = body.subarray(6 + 3 * i, 9 + 3 * i);
    // A single component is not interleaved: its factors say nothing.
    return { id, horizontal: count === 1 ? 1 : sampling >> 4, vertical: count === 1 ? 1 : sampling & 15, quantiser };
  });
  if (!factors.every((f) => f.horizontal >= 1 && f.horizontal <= 4 && f.vertical >= 1 && f.vertical <= 4)) {
    throw new DecodeError("a component has a sampling factor outside of 1 to 4");
  }
  const horizontal = Math.max(...factors.map((f) => f.horizontal));
  const vertical = Math.max(...factors.map((f) => f.vertical));
  const mcusWide = Math.ceil(width / (8 * horizontal));
  const mcusHigh = Math.ceil(height / (8 * vertical));
  const components = factors.map((f): Component => ({
    ...f,
    width: Math.ceil(width * f.horizontal / horizontal),
    height: Math.ceil(height * f.vertical / vertical),
    blocksWide: mcusWide * f.horizontal,
    blocksHigh: mcusHigh * f.vertical,
    coefficients: new Int16Array(),
    rowsHeld: 0,
    last: new Uint8Array(),
  }));
  return { width, height, progressive, components, horizontal, vertical, mcusWide, mcusHigh };
}

function readScan(
  body: Uint8Array,
  frame: Frame,
  tables: { dc: (HuffmanTable | undefined)[]; ac: (HuffmanTable | undefined)[] },
  restartInterval: number,
): Scan {
  const count = body[0];
  const [start, end, approximation] = body.subarray(1 + 2 * count);
  const { progressive, mcusWide, mcusHigh } = frame;
  const wrong = count < 1 || count > frame.components.length || body.length < 4 + 2 * count ||
    progressive && (start > end || end > 63 || (start === 0 ? end !== 0 : count !== 1));
  if (wrong) throw new DecodeError("a scan header is malformed");
  const components = Array.from({ length: count }, (_, i) => {
    const [id, selectors] = body.subarray(1 + 2 * i, 3 + 2 * i);
    const component = frame.components.find((one) => one.id === id);
    if (!component) throw new DecodeError(`a scan has component ${id}, which the frame has not`);
    return { component, dc: tables.dc[selectors >> 4], ac: tables.ac[selectors & 15] };
  });
  const [high, low] = [approximation >> 4, approximation & 15];
  return { components, progressive, start, end, high, low, restartInterval, mcusWide, mcusHigh };
}
