// The AC bands of progressive scans (ITU-T T.81, G.1.2.2 and G.1.2.3). Most of a progressive picture's time is spent here, so
// bits are read in place, as in BitReader.block.
import { type BitReader, extend, type HuffmanTable, naturalOrder } from "./huffman.ts";
import { DecodeError } from "../decode_error.ts";

/** A scan of one component's coefficients from `start` to `end` in zigzag order, `low` bits above the lowest. */
export interface Band {
  readonly reader: BitReader;
  readonly table: HuffmanTable;
  readonly target: Int16Array;
  /** By block: the last coefficient in zigzag order that is not zero. */
  readonly last: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly low: number;
}

function symbol(band: Band): number {
  const value = band.reader.symbol(band.table);
  if (value < 0) throw new DecodeError("its data holds bits that are no code");
  return value;
}

/**
 * Read a block's band for the first time.
 *
 * @param at The block's first coefficient.
 * @param skipped How many blocks, this one the first, have an empty band.
 * @returns The same for the next block.
 */
export function firstBand(band: Band, at: number, skipped: number): number {
  if (skipped > 0) return skipped - 1;
  const { reader, target, last, end, low } = band;
  for (let k = band.start; k <= end; k++) {
    const value = symbol(band);
    const run = value >> 4;
    const size = value & 15;
    if (size > 0) {
      k += run;
      target[at + naturalOrder[k]] = extend(reader.bits(size), size) << low;
      last[at >> 6] = Math.max(last[at >> 6], k);
    } else if (run === 15) k += 15;
    else return (1 << run) + reader.bits(run) - 1;
  }
  return 0;
}

/**
 * Read one more bit of a block's band: for each coefficient that is not zero, and those that become so.
 *
 * @param at The block's first coefficient.
 * @param skipped How many blocks, this one the first, get no new coefficients.
 * @returns The same for the next block.
 */
export function refineBand(band: Band, at: number, skipped: number): number {
  const { reader, target, end, low } = band;
  const { bytes } = reader;
  const bit = 1 << low;
  let last = band.last[at >> 6];
  let k = band.start;
  while (skipped === 0 && k <= end) {
    const value = symbol(band);
    let run = value >> 4;
    let fresh = 0;
    if ((value & 15) !== 0) fresh = reader.bits(1) === 1 ? bit : -bit;
    else if (run < 15) {
      skipped = (1 << run) + reader.bits(run);
      break;
    }
    let position = reader.position;
    for (; k <= last && k <= end; k++) {
      const place = at + naturalOrder[k];
      const known = target[place];
      if (known === 0) {
        if (run === 0) break;
        run--;
        continue;
      }
      const more = bytes[position >>> 3] >> (7 - (position & 7)) & 1;
      position++;
      if (more !== 0 && ((known < 0 ? -known : known) & bit) === 0) {
        target[place] = known < 0 ? known - bit : known + bit;
      }
    }
    reader.position = position;
    if (k > last) k += run; // nothing but zeros
    if (fresh !== 0 && k <= end) {
      target[at + naturalOrder[k]] = fresh;
      if (k > last) last = k;
    }
    k++;
  }
  band.last[at >> 6] = last;
  if (skipped === 0) return 0;
  let position = reader.position;
  for (const stop = Math.min(last, end); k <= stop; k++) {
    const place = at + naturalOrder[k];
    const known = target[place];
    if (known === 0) continue;
    const more = bytes[position >>> 3] >> (7 - (position & 7)) & 1;
    position++;
    if (more !== 0 && ((known < 0 ? -known : known) & bit) === 0) target[place] = known < 0 ? known - bit : known + bit;
  }
  reader.position = position;
  return skipped - 1;
}
