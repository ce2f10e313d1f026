// Encoding matrices in blocks: of memory, or of numbers that are read a part at a time.
import { FormatError } from "../errors/mod.ts";
import { canEncode, encodeColumns, encodeRows, type ReadNumbers } from "./_encode_kernel.ts";
import { type BlockEncoding, type Blocks, blockShapes } from "./block_encoding.ts";

/**
 * Encode a matrix. Of 8 bits a block's scale is its largest distance from 0, divided by 127, and a number's code is the whole
 * part of number · (1 / scale) + 128.5; of 4 bits the number that is furthest from 0, divided by −8, so that all sixteen codes
 * are used, and min(15, number · (1 / scale) + 8.5). All in float32; a scale below 2⁻¹²⁶ is 0, and its numbers are too.
 *
 * @param values Row-major, of the shape, or what reads them.
 * @throws {FormatError} If a number is NaN or infinite, or a block has no multiple of 16 numbers up to 256.
 */
export function encodeBlocks(
  values: Float32Array | ReadNumbers,
  shape: readonly number[],
  encoding: BlockEncoding,
): Blocks {
  const { bits, block, axis } = encoding;
  if (!canEncode(block)) throw new FormatError(`it cannot be quantised: its blocks have ${block} numbers`);
  const { rows, columns, codes, scales } = blockShapes(shape, encoding);
  const blocks = {
    codes: new Uint8Array(codes[0] * codes[1]),
    scales: new Float32Array(scales[0] * scales[1]),
  };
  const read: ReadNumbers = typeof values === "function"
    ? values
    : (from, into) => into.set(values.subarray(from, from + into.length));
  if (rows * columns > 0) (axis === 1 ? encodeRows : encodeColumns)(read, { rows, columns, bits, block }, blocks);
  if (!blocks.scales.every(Number.isFinite)) {
    throw new FormatError("it cannot be quantised: a number of it is NaN or infinite");
  }
  return blocks;
}
