// Weights of 8 or 4 bits. Think of each row of a matrix, along the axis that a product sums over, as cut into blocks: a block
// keeps one scale, and each of its numbers is a code, a whole number around a middle one. What is decoded is
// (code − middle) · scale. This is how ONNX Runtime's MatMulNBits has them (contrib_ops, ContribOperators.md).
import { FormatError } from "../errors/mod.ts";

/** How the numbers of a matrix are cut into blocks and encoded. */
export interface BlockEncoding {
  /** The bits of a code: 8, in a byte of its own, or 4, two in a byte, the first in its lower half. */
  readonly bits: 4 | 8;
  /** The numbers of a block: an even divisor of the axis that blocks lie along. */
  readonly block: number;
  /** The axis that blocks lie along: 1 for [outputs, inputs] and for tables, 0 for [inputs, outputs]. */
  readonly axis: 0 | 1;
}

/** The codes and scales of a matrix, rows across the axis that its blocks lie along. */
export interface Blocks {
  /** Shape [rows, columns · bits / 8]. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** Shape [rows, columns / block]. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** The shapes of a matrix in blocks. */
export interface BlockShapes {
  readonly rows: number;
  readonly columns: number;
  readonly codes: readonly [rows: number, bytes: number];
  /** The codes with an axis of their blocks, as files have them: no tool can take them for the matrix itself. */
  readonly stored: readonly [rows: number, blocks: number, bytes: number];
  readonly scales: readonly [rows: number, blocks: number];
}

/** The code that stands for 0. */
export function middleOf({ bits }: Pick<BlockEncoding, "bits">): number {
  return 1 << (bits - 1);
}

/** The shapes of a matrix [a, b] in blocks. */
export function blockShapes(shape: readonly number[], { bits, block, axis }: BlockEncoding): BlockShapes {
  const [rows, columns] = axis === 1 ? shape : [shape[1], shape[0]];
  const blocks = columns / block;
  return {
    rows,
    columns,
    codes: [rows, columns * bits / 8],
    stored: [rows, blocks, block * bits / 8],
    scales: [rows, blocks],
  };
}

/**
 * Encode a matrix. Of 8 bits a block's largest number becomes code 1 or 255; of 4 bits it becomes code 0, with a scale of the
 * other sign, so that all sixteen codes are used.
 *
 * @param values Row-major, of the shape.
 * @throws {FormatError} If a number is NaN or infinite.
 */
export function encodeBlocks(values: Float32Array, shape: readonly number[], encoding: BlockEncoding): Blocks {
  const { rows, columns, codes, scales } = blockShapes(shape, encoding);
  const blocks = {
    codes: new Uint8Array(codes[0] * codes[1]),
    scales: new Float32Array(scales[0] * scales[1]),
  };
  const encode = encoding.bits === 8 ? encode8 : encode4;
  if (encoding.axis === 1) {
    for (let n = 0, at = 0; n < blocks.scales.length; n++, at += encoding.block) {
      blocks.scales[n] = encode(values, at, encoding.block, blocks.codes, at);
    }
  } else encodeColumns(values, rows, columns, encoding, blocks);
  if (!blocks.scales.every(Number.isFinite)) {
    throw new FormatError("it cannot be quantised: a number of it is NaN or infinite");
  }
  return blocks;
}

/** Encodes `block` numbers from `from` on, to the codes from number `to` on. @returns The scale; NaN if it cannot. */
type EncodeBlock = (values: Float32Array, from: number, block: number, codes: Uint8Array, to: number) => number;

const encode8: EncodeBlock = (values, from, block, codes, to) => {
  const scale = Math.fround(Math.abs(furthest(values, from, block)) / 127);
  const factor = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < block; i++) codes[to + i] = values[from + i] * factor + 128.5;
  return scale;
};

const encode4: EncodeBlock = (values, from, block, codes, to) => {
  const scale = Math.fround(furthest(values, from, block) / -8);
  const factor = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < block; i += 2) {
    const low = Math.min(15, values[from + i] * factor + 8.5);
    const high = Math.min(15, values[from + i + 1] * factor + 8.5);
    codes[(to + i) >> 1] = low | high << 4;
  }
  return scale;
};

/** The number of a block that is furthest from 0; NaN if one is NaN. */
function furthest(values: Float32Array, from: number, block: number): number {
  let found = 0, distance = 0;
  for (let i = from; i < from + block; i++) {
    const own = Math.abs(values[i]);
    if (own <= distance) continue;
    if (own !== own) return NaN;
    distance = own;
    found = values[i];
  }
  return found;
}

/** The columns that are copied at a time: two lines of a cache. */
const strip = 32;

/** Encode blocks that lie along axis 0: parts of some columns are copied into rows first. */
function encodeColumns(
  values: Float32Array,
  rows: number,
  columns: number,
  { bits, block }: BlockEncoding,
  { codes, scales }: Blocks,
): void {
  const encode = bits === 8 ? encode8 : encode4;
  const turned = new Float32Array(strip * block);
  for (let first = 0; first < columns; first += block) {
    for (let row = 0; row < rows; row += strip) {
      const count = Math.min(strip, rows - row);
      for (let i = 0; i < block; i++) {
        const from = (first + i) * rows + row;
        for (let n = 0; n < count; n++) turned[n * block + i] = values[from + n];
      }
      for (let n = 0; n < count; n++) {
        const at = (row + n) * columns + first;
        scales[at / block] = encode(turned, n * block, block, codes, at);
      }
    }
  }
}

/** Decode a matrix: the numbers, row-major, of the shape. */
export function decodeBlocks(
  { codes, scales }: Blocks,
  shape: readonly number[],
  encoding: BlockEncoding,
): Float32Array<ArrayBuffer> {
  const { rows, columns } = blockShapes(shape, encoding);
  const { bits, block, axis } = encoding;
  const middle = middleOf(encoding);
  const values = new Float32Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const code = bits === 8 ? codes[at] : codes[at >> 1] >> (at & 1) * 4 & 15;
      const value = (code - middle) * scales[Math.trunc(at / block)];
      values[axis === 1 ? at : column * rows + row] = value;
    }
  }
  return values;
}
