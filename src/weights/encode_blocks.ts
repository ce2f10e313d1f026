// Encoding matrices in blocks: of memory, or of numbers that are read a part at a time.
import { FormatError } from "../errors/mod.ts";
import { canEncode, encodeColumns, encodeRows, type ReadNumbers } from "./_encode_kernel.ts";
import { type BlockEncoding, type Blocks, blockShapes } from "./block_encoding.ts";

/**
 * Encode a matrix. Of 8 bits a block's scale is its largest distance from 0, divided by 127, and a number's code is the whole
 * part of number · (1 / scale) + 128.5; of 4 bits the number that is furthest from 0, divided by −8, so that all sixteen codes
 * are used, and min(15, number · (1 / scale) + 8.5). All in float32; a scale below 2⁻¹²⁶ is 0, and its numbers are too. With
 * `rowScales` a row is encoded as one block, whose scale all blocks get.
 *
 * @param values Row-major, of the shape, or what reads them.
 * @throws {FormatError} If a number is NaN or infinite, or a block has no multiple of 16 numbers up to 256.
 */
export function encodeBlocks(
  values: Float32Array | ReadNumbers,
  shape: readonly number[],
  encoding: BlockEncoding,
): Blocks {
  const { bits, block, axis, rowScales = false } = encoding;
  if (!canEncode(block)) throw new FormatError(`it cannot be quantised: its blocks have ${block} numbers`);
  if (rowScales) return encodeWholeRows(values, shape, encoding);
  const { rows, columns, codes, scales } = blockShapes(shape, encoding);
  const blocks = {
    codes: new Uint8Array(codes[0] * codes[1]),
    scales: new Float32Array(scales[0] * scales[1]),
  };
  const read = readerOf(values);
  if (rows * columns > 0) (axis === 1 ? encodeRows : encodeColumns)(read, { rows, columns, bits, block }, blocks);
  checkScales(blocks.scales);
  return blocks;
}

/** Encode each row as one block, and give its scale to all blocks. */
function encodeWholeRows(
  values: Float32Array | ReadNumbers,
  shape: readonly number[],
  encoding: BlockEncoding,
): Blocks {
  const { bits, axis } = encoding;
  const { rows, columns, codes, scales: [, count] } = blockShapes(shape, encoding);
  if (bits !== 8 || axis !== 1) {
    throw new FormatError(`it cannot be quantised: rows have one scale along axis 1 with 8 bits only`);
  }
  const whole = { codes: new Uint8Array(codes[0] * codes[1]), scales: new Float32Array(rows) };
  if (rows * columns > 0) encodeRows(readerOf(values), { rows, columns, bits, block: columns }, whole);
  checkScales(whole.scales);
  const scales = new Float32Array(rows * count);
  whole.scales.forEach((scale, row) => scales.fill(scale, row * count, (row + 1) * count));
  return { codes: whole.codes, scales };
}

function readerOf(values: Float32Array | ReadNumbers): ReadNumbers {
  if (typeof values === "function") return values;
  return (from, into) => into.set(values.subarray(from, from + into.length));
}

function checkScales(scales: Float32Array): void {
  if (scales.every(Number.isFinite)) return;
  throw new FormatError("it cannot be quantised: a number of it is NaN or infinite");
}
