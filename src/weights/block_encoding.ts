// Weights of 8 or 4 bits. Think of each row of a matrix, along the axis that a product sums over, as cut into blocks: a block
// keeps one scale, and each of its numbers is a code, a whole number around a middle one. What is decoded is
// (code − middle) · scale. This is how ONNX Runtime's MatMulNBits has them (contrib_ops, ContribOperators.md).
import type { TypedArray } from "../tensor/mod.ts";

/** How the numbers of a matrix are cut into blocks and encoded. */
export interface BlockEncoding {
  /** The bits of a code: 8, in a byte of its own, or 4, two in a byte, the first in its lower half. */
  readonly bits: 4 | 8;
  /** The numbers of a block: an even divisor of the axis that blocks lie along; to encode, a multiple of 16 up to 256. */
  readonly block: number;
  /** The axis that blocks lie along: 1 for [outputs, inputs] and for tables, 0 for [inputs, outputs]. */
  readonly axis: 0 | 1;
  /**
   * To encode: whether all blocks of a row get one scale, that of the row's largest number, so that products of 8-bit integers can
   * have it; of 8 bits along axis 1 only. @default false
   */
  readonly rowScales?: boolean;
}

/**
 * How codes of 8 bits are written: as they are, or each less the middle one, in two's complement, as processors with instructions
 * for 8-bit integers multiply them.
 */
export type CodeForm = "unsigned" | "signed";

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
 * Write codes of 8 bits in the other form, be they in either: the two differ in the uppermost bit.
 *
 * @param into As many bytes.
 */
export function turnCodes(codes: TypedArray, into: TypedArray): void {
  const bytes = codes.byteOffset % 4 === 0 ? codes : codes.slice();
  // Four at a time, which takes a fourth of the time: rows have a multiple of 16.
  const words = ({ buffer, byteOffset, length }: TypedArray) => new Uint32Array(buffer, byteOffset, length / 4);
  const [from, to] = [words(bytes), words(into)];
  for (let i = 0; i < from.length; i++) to[i] = from[i] ^ 0x80808080;
}

/** Whether all blocks of a row have one scale, in each row of a matrix. */
export function hasRowScales(scales: Float32Array, [rows, blocks]: readonly [rows: number, blocks: number]): boolean {
  for (let row = 0, at = 0; row < rows; row++) {
    const scale = scales[at];
    for (const end = at + blocks; at < end; at++) if (scales[at] !== scale) return false;
  }
  return true;
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
