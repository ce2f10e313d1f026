// Small pictures of every format that is read, with bytes changed at random: the same ones in each run.
import { crc32 } from "node:zlib";

const folder = new URL("../fixtures/images/", import.meta.url);
/** Pictures of more bytes are left out: a change of theirs is most often one of pixels. */
const largest = 20_000;

/** The formats, by the endings of their files. */
const endings: Readonly<Record<string, RegExp>> = {
  png: /\.png$/,
  jpeg: /\.jpg$/,
  webp: /\.webp$/,
  gif: /\.gif$/,
  bmp: /\.bmp$/,
  tiff: /\.tif$/,
  avif: /\.avif$/,
  pnm: /\.p[bgp]m$/,
};

/** Files of a format, by their names. */
export type Pictures = readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[];

/** The small pictures of each format. */
export const pictures: ReadonlyMap<string, Pictures> = new Map(
  Object.entries(endings).map(([format, ending]) => [format, [...picturesOf(ending)]]),
);

function* picturesOf(ending: RegExp): Generator<Pictures[number]> {
  for (const name of ["formats", "inputs", "scans"]) {
    const entries = [...Deno.readDirSync(new URL(`${name}/`, folder))].map((entry) => entry.name).sort();
    for (const entry of entries.filter((entry) => ending.test(entry))) {
      const bytes = Deno.readFileSync(new URL(`${name}/${entry}`, folder));
      if (bytes.length <= largest) yield [entry, bytes];
    }
  }
}

/** Numbers that are the same in each run, below `most`. */
function random(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state ^ state >>> 13) >>> 0) % most;
  };
}

/** A picture with one to four bytes changed, half of them near its start; of PNGs half have checksums that are right. */
export interface Mutation {
  /** What it was made of. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Mutations of a format's pictures in turn, without end. */
export function* mutationsOf(format: string, seed = 1): Generator<Mutation, never> {
  const below = random(seed);
  for (;;) {
    for (const [name, original] of pictures.get(format)!) {
      const bytes = original.slice();
      for (let changes = 1 + below(4); changes > 0; changes--) {
        const at = below(2) ? below(Math.min(64, bytes.length)) : below(bytes.length);
        bytes[at] = [below(256), bytes[at] ^ 1 << below(8), 0, 255][below(4)];
      }
      if (format === "png" && below(2)) writeChecksums(bytes);
      yield { name, bytes };
    }
  }
}

/** Make the checksums of a PNG's chunks right: otherwise most changes end at them. */
export function writeChecksums(png: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(png.buffer);
  for (let at = 8; at + 12 <= png.length;) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > png.length) return;
    view.setUint32(end, crc32(png.subarray(at + 4, end)));
    at = end + 4;
  }
}
