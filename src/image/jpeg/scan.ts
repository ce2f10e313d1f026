// The scans of a JPEG (ITU-T T.81, annexes F.2 and G.2): from entropy-coded bytes to coefficients, sequential or progressive.
import { type Band, firstBand, refineBand } from "./bands.ts";
import { BitReader, extend, type HuffmanTable } from "./huffman.ts";
import { DecodeError } from "../decode_error.ts";

/** A colour component of a frame. */
export interface Component {
  readonly id: number;
  /** Sampling factors, 1 to 4. */
  readonly horizontal: number;
  readonly vertical: number;
  readonly quantiser: number;
  /** Samples that belong to the picture. */
  readonly width: number;
  readonly height: number;
  /** Blocks a row and blocks in all rows, filled up to whole MCUs. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  /** Where the coefficients go (natural order, 64 a block), and how many rows of blocks are held at a time. */
  coefficients: Int16Array;
  rowsHeld: number;
  /** Of a progressive frame, by block: the last coefficient in zigzag order that is not zero. */
  last: Uint8Array;
}

/** A scan's header and tables. */
export interface Scan {
  readonly components: readonly {
    readonly component: Component;
    readonly dc?: HuffmanTable;
    readonly ac?: HuffmanTable;
  }[];
  readonly progressive: boolean;
  /** The first and last coefficient in zigzag order, and the bit positions of successive approximation. */
  readonly start: number;
  readonly end: number;
  readonly high: number;
  readonly low: number;
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number;
  /** Size of the picture in MCUs of all components. */
  readonly mcusWide: number;
  readonly mcusHigh: number;
}

/**
 * Decode one scan's coefficients.
 *
 * @param data The scan's bytes from its header to the next marker that is no restart.
 * @param onRow Called when a row of MCUs is complete.
 * @throws {DecodeError} If the bits are no codes, or end early.
 */
export function decodeScan(data: Uint8Array, scan: Scan, onRow: (row: number) => void): void {
  const { bytes, ends } = withoutStuffing(data);
  const reader = new BitReader(bytes);
  const decode = blockDecoder(scan, reader);
  const single = scan.components.length === 1;
  // A scan of one component has no filling blocks: an MCU is a block of the picture.
  const [{ component }] = scan.components;
  const wide = single ? Math.ceil(component.width / 8) : scan.mcusWide;
  const high = single ? Math.ceil(component.height / 8) : scan.mcusHigh;
  let left = scan.restartInterval || Infinity;
  let segment = 0;
  const check = (): void => {
    if (reader.position > ends[segment] * 8) throw new DecodeError("its data ends early");
  };
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      if (left-- === 0) {
        check();
        if (segment + 1 >= ends.length) throw new DecodeError("a restart marker is missing");
        reader.position = ends[segment++] * 8;
        decode.restart();
        left = scan.restartInterval - 1;
      }
      if (single) decode.block(0, x, y);
      else {
        for (let index = 0; index < scan.components.length; index++) {
          const { horizontal, vertical } = scan.components[index].component;
          for (let v = 0; v < vertical; v++) {
            for (let h = 0; h < horizontal; h++) decode.block(index, x * horizontal + h, y * vertical + v);
          }
        }
      }
    }
    check();
    onRow(y);
  }
}

/** The bytes without the zeros after FF and without restart markers, and where each restart interval ends. */
function withoutStuffing(data: Uint8Array): { bytes: Uint8Array; ends: number[] } {
  const bytes = new Uint8Array(data.length + 16);
  const ends: number[] = [];
  let to = 0;
  for (let from = 0; from < data.length;) {
    const mark = data.indexOf(0xff, from);
    const stop = mark < 0 ? data.length : mark + 1;
    bytes.set(data.subarray(from, stop), to);
    to += stop - from;
    from = stop + 1;
    if (mark < 0 || data[mark + 1] === 0) continue;
    to--; // the FF belongs to a marker
    while (data[from - 1] === 0xff) from++; // which may be filled up by FFs
    if (from <= data.length) ends.push(to);
  }
  ends.push(to);
  return { bytes, ends };
}

interface BlockDecoder {
  block(index: number, x: number, y: number): void;
  restart(): void;
}

function blockDecoder(scan: Scan, reader: BitReader): BlockDecoder {
  const predictors = new Int32Array(scan.components.length);
  const { start, end, low } = scan;
  let skipped = 0; // blocks whose band is at its end already
  const restart = (): void => {
    predictors.fill(0);
    skipped = 0;
  };
  const place = (component: Component, x: number, y: number): number =>
    ((y % component.rowsHeld) * component.blocksWide + x) * 64;
  const table = (kind: "dc" | "ac", index: number): HuffmanTable => {
    const found = scan.components[index][kind];
    if (!found) throw new DecodeError(`a Huffman table (${kind}) is missing`);
    return found;
  };
  if (!scan.progressive) {
    const tables = scan.components.map((_, index) => ({ dc: table("dc", index), ac: table("ac", index) }));
    return {
      restart,
      block(index, x, y) {
        const { component } = scan.components[index];
        const { dc, ac } = tables[index];
        const value = reader.block(component.coefficients, place(component, x, y), dc, ac, predictors[index]);
        if (Number.isNaN(value)) throw new DecodeError("its data holds bits that are no code");
        predictors[index] = value;
      },
    };
  }
  const components = scan.components.map(({ component }) => component);
  if (start === 0 && scan.high !== 0) {
    return {
      restart,
      block(index, x, y) {
        const component = components[index];
        component.coefficients[place(component, x, y)] |= reader.bits(1) << low;
      },
    };
  }
  if (start === 0) {
    const tables = scan.components.map((_, index) => table("dc", index));
    return {
      restart,
      block(index, x, y) {
        const component = components[index];
        const size = reader.symbol(tables[index]);
        if (size < 0 || size > 15) throw new DecodeError("its data holds bits that are no code");
        if (size > 0) predictors[index] += extend(reader.bits(size), size);
        component.coefficients[place(component, x, y)] = predictors[index] << low;
      },
    };
  }
  const [{ component }] = scan.components;
  const band: Band = {
    reader,
    table: table("ac", 0),
    target: component.coefficients,
    last: component.last,
    start,
    end,
    low,
  };
  const visit = scan.high === 0 ? firstBand : refineBand;
  return {
    restart,
    block(_, x, y) {
      skipped = visit(band, place(component, x, y), skipped);
    },
  };
}
