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
 * How codes of 8 bits lie: in rows, as `Blocks` has them, or in columns, [columns, rows], where products of whole numbers read them;
 * as they are, or each less the middle one, in two's complement, as processors with instructions for 8-bit integers want them.
 */
export type CodeForm = "rows" | "columns" | "signedColumns";

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

/** The type of codes in a form. */
export function codeType(form: CodeForm): "uint8" | "int8" {
  return form === "signedColumns" ? "int8" : "uint8";
}

/** Flip bits of bytes, four bytes at a time, which takes a fourth of the time. */
function flipWords(source: Uint8Array, target: Uint8Array, flipped: number): void {
  const aligned = source.byteOffset % 4 === 0 ? source : source.slice();
  const words = ({ buffer, byteOffset, length }: Uint8Array) => new Uint32Array(buffer, byteOffset, length / 4);
  const [from, to] = [words(aligned), words(target)];
  for (let i = 0; i < from.length; i++) to[i] = from[i] ^ flipped;
}

/** The rows that are turned into columns at once: as many as a line of a processor's cache has bytes. */
const turnedAtOnce = 64;

/**
 * Lay out codes of 8 bits in another form.
 *
 * @param shape The rows and columns of the matrix; a multiple of 16 columns.
 * @param into As many bytes.
 */
export function layOutCodes(
  codes: TypedArray,
  { rows, columns }: Pick<BlockShapes, "rows" | "columns">,
  { from, to }: { from: CodeForm; to: CodeForm },
  into: TypedArray,
): void {
  const [source, target] = [codes, into].map((array) => new Uint8Array(array.buffer, array.byteOffset, array.length));
  // A code less 128 is, in 8 bits, the code with its uppermost bit turned over.
  const flipped = codeType(from) === codeType(to) ? 0 : 128;
  if ((from === "rows") === (to === "rows")) return flipWords(source, target, flipped * 0x01010101);
  const [height, width] = from === "rows" ? [rows, columns] : [columns, rows];
  for (let first = 0; first < height; first += turnedAtOnce) {
    const end = Math.min(height, first + turnedAtOnce);
    for (let column = 0; column < width; column++) {
      for (let row = first; row < end; row++) target[column * height + row] = source[row * width + column] ^ flipped;
    }
  }
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
