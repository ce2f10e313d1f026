// Encoding matrices in blocks, in WebAssembly SIMD. Think of `rows` as going along rows that blocks lie in, and of `columns` as going
// down strips of sixteen columns that blocks stand in: its lanes are sixteen blocks at a time, whose codes are collected in a
// small table and then copied to where they belong. All numbers are float32, as the formulas in block_encoding.ts have them.
import { assemble } from "../wasm/assembler.ts";

/** Scales that are smaller are 0: one divided by them may be infinite. The least normal float32. */
const leastScale = 2 ** -126;

/** The columns of a strip. */
const strip = 16;

/** Bytes between the codes of two blocks in the table of a strip: as many as a block may have. */
const tableStride = 256;

/** What differs between the bits of a code. */
interface Coding {
  readonly bits: 4 | 8;
  /** Instructions that begin the search for a block's scale, go on with the vector on the stack, and end with the scale. */
  readonly begin: (lane: string) => string;
  readonly search: (lane: string) => string;
  readonly reduce: string;
  readonly scale: (lane: string) => string;
  /** What is added to a number in units of its scale, before it is cut off to a whole number. */
  readonly middle: number;
}

const halves = "8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7";
const pairs = "4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11";
const splat = (value: number) => `f32.const ${value} f32x4.splat`;

/** Instructions that put the largest (or least) of a vector's lanes into all of them. */
function everywhere(local: string, operator: string): string {
  return [halves, pairs].map((order) =>
    `local.get ${local} local.get ${local} local.get ${local} i8x16.shuffle ${order} ${operator} local.set ${local}`
  ).join("\n");
}

/** The largest distance from 0 becomes code 1 or 255. */
const eight: Coding = {
  bits: 8,
  begin: (lane) => `${splat(0)} local.set $most${lane}`,
  search: (lane) => `f32x4.abs local.get $most${lane} f32x4.max local.set $most${lane}`,
  reduce: everywhere("$most0", "f32x4.max"),
  scale: (lane) => `local.get $most${lane} ${splat(127)} f32x4.div`,
  middle: 128.5,
};

/** The number that is furthest from 0 becomes code 0, the negative one of two. */
const four: Coding = {
  bits: 4,
  begin: (lane) => `${splat(0)} local.tee $most${lane} local.set $least${lane}`,
  search: (lane) =>
    `local.tee $vector local.get $most${lane} f32x4.max local.set $most${lane}
     local.get $vector local.get $least${lane} f32x4.min local.set $least${lane}`,
  reduce: `${everywhere("$most0", "f32x4.max")} ${everywhere("$least0", "f32x4.min")}`,
  scale: (lane) =>
    `local.get $most${lane} local.get $least${lane}
     local.get $most${lane} local.get $least${lane} f32x4.neg f32x4.gt v128.bitselect
     ${splat(-8)} f32x4.div`,
  middle: 8.5,
};

/** Instructions that make a block's scale, and the factor by which its numbers are multiplied, of what was found. */
function finish({ scale }: Coding, lane: string): string {
  return `
    ${scale(lane)} local.tee $scale${lane}
    local.get $scale${lane} f32x4.abs ${
    splat(leastScale)
  } f32x4.lt local.tee $vector v128.andnot local.set $scale${lane}
    ${splat(1)} local.get $scale${lane} f32x4.div local.get $vector v128.andnot local.set $factor${lane}`;
}

/** Instructions that leave sixteen codes, one in a byte, of sixteen numbers at an address. */
function codes({ middle, bits }: Coding, address: string, factor: (lane: number) => string): string {
  const numbers = (lane: number) =>
    `${address} v128.load ${16 * lane} local.get ${factor(lane)} f32x4.mul ${splat(middle)} f32x4.add
     i32x4.trunc_sat_f32x4_s ${bits === 4 ? "i32.const 15 i32x4.splat i32x4.min_s" : ""}`;
  const pair = (lane: number) => `${numbers(lane)} ${numbers(lane + 1)} i16x8.narrow_i32x4_s`;
  return `${pair(0)} ${pair(2)} i8x16.narrow_i16x8_u`;
}

/** Blocks one after another: sixteen numbers a step. */
function rows(coding: Coding) {
  const store = coding.bits === 8
    ? `local.get $target ${codes(coding, "local.get $from", () => "$factor0")} v128.store 0`
    // Of sixteen bits the lower four, and the lower four of the upper byte beside them.
    : `${codes(coding, "local.get $from", () => "$factor0")} local.tee $vector
       i32.const 15 i16x8.splat v128.and
       local.get $vector i32.const 4 i16x8.shr_u i32.const 240 i16x8.splat v128.and v128.or local.set $vector
       local.get $target local.get $vector local.get $vector i8x16.narrow_i16x8_u v128.store64_lane 0 0`;
  return {
    name: `rows${coding.bits}`,
    parameters: ["source", "end", "bytes", "target", "scales"],
    integers: ["from", "stop"],
    vectors: ["most0", "least0", "vector", "scale0", "factor0"],
    body: `
      loop
        local.get $source local.tee $from local.get $bytes i32.add local.set $stop
        ${coding.begin("0")}
        loop
          local.get $from v128.load 0 ${coding.search("0")}
          local.get $from v128.load 16 ${coding.search("0")}
          local.get $from v128.load 32 ${coding.search("0")}
          local.get $from v128.load 48 ${coding.search("0")}
          local.get $from i32.const 64 i32.add local.tee $from
          local.get $stop i32.lt_u br_if 0
        end
        ${coding.reduce}
        ${finish(coding, "0")}
        local.get $scales local.get $scale0 v128.store32_lane 0 0
        local.get $scales i32.const 4 i32.add local.set $scales
        local.get $source local.set $from
        loop
          ${store}
          local.get $target i32.const ${2 * coding.bits} i32.add local.set $target
          local.get $from i32.const 64 i32.add local.tee $from
          local.get $stop i32.lt_u br_if 0
        end
        local.get $stop local.tee $source
        local.get $end i32.lt_u br_if 0
      end`,
  };
}

const lanes = [0, 1, 2, 3];

/** Copies the table's scales and codes to the rows that they belong to. */
const copies = `
      local.get $table i32.const ${4 * strip} i32.add local.set $from
      local.get $table local.get $count i32.add local.get $count i32.add
      local.get $count i32.add local.get $count i32.add local.set $end
      loop
        local.get $scales local.get $table i32.load 0 i32.store 0
        local.get $scales local.get $scaleBytes i32.add local.set $scales
        local.get $target local.tee $to local.get $blockBytes i32.add local.set $part
        loop
          local.get $to local.get $from v128.load64_zero 0 v128.store64_lane 0 0
          local.get $from i32.const 8 i32.add local.set $from
          local.get $to i32.const 8 i32.add local.tee $to
          local.get $part i32.lt_u br_if 0
        end
        local.get $from local.get $target i32.add i32.const ${tableStride} i32.add
        local.get $part i32.sub local.set $from
        local.get $target local.get $codeBytes i32.add local.set $target
        local.get $table i32.const 4 i32.add local.tee $table
        local.get $end i32.lt_u br_if 0
      end`;

/** One strip of one row of blocks. */
function columns(coding: Coding) {
  const step = coding.bits === 8
    ? `${codes(coding, "local.get $from", (lane) => `$factor${lane}`)} local.set $vector`
    : `${codes(coding, "local.get $from", (lane) => `$factor${lane}`)} local.set $vector
       local.get $from local.get $stride i32.add local.set $from
       ${codes(coding, "local.get $from", (lane) => `$factor${lane}`)} i32.const 4 i8x16.shl
       local.get $vector v128.or local.set $vector`;
  return {
    name: `columns${coding.bits}`,
    // `stop` is where the row after the block's last begins; a row of codes has `codeBytes`, one of scales `scaleBytes`.
    parameters: [
      ...["source", "stop", "stride", "table", "target", "scales", "codeBytes", "scaleBytes", "blockBytes"],
      "count",
    ],
    integers: ["from", "to", "end", "part"],
    vectors: [...lanes.flatMap((lane) => [`most${lane}`, `least${lane}`, `scale${lane}`, `factor${lane}`]), "vector"],
    body: `
      ${lanes.map((lane) => coding.begin(`${lane}`)).join("\n")}
      local.get $source local.set $from
      loop
        ${lanes.map((lane) => `local.get $from v128.load ${16 * lane} ${coding.search(`${lane}`)}`).join("\n")}
        local.get $from local.get $stride i32.add local.tee $from
        local.get $stop i32.lt_u br_if 0
      end
      ${lanes.map((lane) => finish(coding, `${lane}`)).join("\n")}
      ${lanes.map((lane) => `local.get $table local.get $scale${lane} v128.store ${16 * lane}`).join("\n")}
      local.get $source local.set $from
      local.get $table i32.const ${4 * strip} i32.add local.set $to
      loop
        ${step}
        ${
      Array.from(
        { length: strip },
        (_, lane) => `local.get $to local.get $vector v128.store8_lane ${lane * tableStride} ${lane}`,
      ).join("\n")
    }
        local.get $to i32.const 1 i32.add local.set $to
        local.get $from local.get $stride i32.add local.tee $from
        local.get $stop i32.lt_u br_if 0
      end
${copies}`,
  };
}

interface Kernels extends Record<"rows8" | "rows4", Rows>, Record<"columns8" | "columns4", Columns> {
  readonly memory: WebAssembly.Memory;
}
type Rows = (source: number, end: number, bytes: number, target: number, scales: number) => void;
type Columns = (...parameters: number[]) => void;

let kernels: Kernels | undefined;

/** The kernels, with a memory of at least so many bytes. */
function withMemory(bytes: number): Kernels {
  kernels ??= new WebAssembly.Instance(
    new WebAssembly.Module(assemble([rows(eight), rows(four), columns(eight), columns(four)], 1)),
  ).exports as unknown as Kernels;
  const missing = Math.ceil((bytes - kernels.memory.buffer.byteLength) / 65536);
  if (missing > 0) kernels.memory.grow(missing);
  return kernels;
}

/** What is encoded at once, in bytes: it stays in the cache between its two passes. */
const partBytes = 1 << 18;

/** The sizes of a matrix: rows and columns as blocks lie, so that blocks along axis 0 have `columns` numbers one below another. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly block: number;
}

/** Reads the numbers from element `from` on, as many as there is room for. */
export type ReadNumbers = (from: number, into: Float32Array<ArrayBuffer>) => void;

/** The codes and scales to be filled. */
interface Result {
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

/** Whether blocks of so many numbers can be encoded. */
export function canEncode(block: number): boolean {
  return block > 0 && block % 16 === 0 && block <= tableStride;
}

/** Encode blocks that lie one after another. */
export function encodeRows(read: ReadNumbers, { rows, columns, bits, block }: Matrix, { codes, scales }: Result): void {
  const all = rows * columns;
  const count = Math.max(1, Math.floor(partBytes / 4 / block)) * block;
  const target = 4 * count, scalesAt = target + count * bits / 8;
  const { memory, [`rows${bits}` as const]: encode } = withMemory(scalesAt + 4 * count / block);
  for (let at = 0; at < all; at += count) {
    const numbers = Math.min(count, all - at);
    read(at, new Float32Array(memory.buffer as ArrayBuffer, 0, numbers));
    encode(0, 4 * numbers, 4 * block, target, scalesAt);
    codes.set(new Uint8Array(memory.buffer, target, numbers * bits / 8), at * bits / 8);
    scales.set(new Float32Array(memory.buffer, scalesAt, numbers / block), at / block);
  }
}

/** Encode blocks that stand in columns, [columns, rows] in memory: a row of blocks at a time. */
export function encodeColumns(
  read: ReadNumbers,
  { rows, columns, bits, block }: Matrix,
  { codes, scales }: Result,
): void {
  const codeBytes = columns * bits / 8, scaleBytes = 4 * columns / block, blockBytes = block * bits / 8;
  // The last strip may reach past the end of a row, and past the last row.
  const table = align(4 * (block * rows + strip));
  const target = table + 4 * strip + strip * tableStride;
  const scalesAt = align(target + rows * codeBytes);
  const { memory, [`columns${bits}` as const]: encode } = withMemory(scalesAt + rows * scaleBytes);
  for (let first = 0; first < columns; first += block) {
    read(first * rows, new Float32Array(memory.buffer as ArrayBuffer, 0, block * rows));
    for (let row = 0; row < rows; row += strip) {
      const stop = 4 * (row + block * rows);
      const codesAt = target + row * codeBytes + first * bits / 8;
      const scaleAt = scalesAt + row * scaleBytes + 4 * first / block;
      const count = Math.min(strip, rows - row);
      encode(4 * row, stop, 4 * rows, table, codesAt, scaleAt, codeBytes, scaleBytes, blockBytes, count);
    }
  }
  codes.set(new Uint8Array(memory.buffer, target, codes.length));
  scales.set(new Float32Array(memory.buffer, scalesAt, scales.length));
}

function align(bytes: number): number {
  return (bytes + 15) & ~15;
}
