// What every checkpoint reader returns: a table of tensors, each with its place in the file and a way to load it alone.
import type { FormatError } from "../errors/mod.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { type DataType, Tensor, viewArray } from "../tensor/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";

/** The tensors of a file or a whole checkpoint, by name. */
export class TensorTable extends Map<string, StoredWeight> {
  /** Tensors of a type that cannot be read, and the error to throw for each; an error only if the tensor is needed. */
  readonly unreadable: Map<string, FormatError> = new Map();
}

/**
 * The region of the file that holds a tensor's bytes, and how to read a part of it. There is none for bool: its bytes may
 * be others than 0 and 1, so it must be read whole and corrected.
 */
export function fileRegionOf(
  source: ByteSource,
  dataType: DataType,
  offset: number,
  byteLength: number,
): Pick<StoredWeight, "region" | "readInto"> {
  const { path, check } = source;
  if (path === undefined || dataType === "bool") return {};
  const readInto = source.readInto &&
    ((at: number, into: Uint8Array<ArrayBuffer>) => source.readInto!(offset + at, into));
  return { region: { path, offset, byteLength, check }, readInto };
}

/** Make a tensor from little-endian bytes that start their own buffer; in a bool, every byte but 0 is true. */
export function tensorFromBytes(dataType: DataType, shape: readonly number[], bytes: Uint8Array, size: number): Tensor {
  if (dataType === "bool") { for (let i = 0; i < size; i++) bytes[i] = bytes[i] === 0 ? 0 : 1; }
  return new Tensor(dataType, shape, viewArray(dataType, bytes.buffer, bytes.byteOffset, size));
}

/**
 * The number of elements of a shape, or NaN if it exceeds `limit`. For an empty tensor it is 0, or NaN if the product of its
 * other axes is no exact integer.
 */
export function sizeWithin(shape: readonly number[], limit: number): number {
  const empty = shape.includes(0);
  let size = 1;
  for (const axis of shape) {
    if (axis !== 0) size *= axis;
    if (size > (empty ? Number.MAX_SAFE_INTEGER : limit)) return NaN;
  }
  return empty ? 0 : size;
}
