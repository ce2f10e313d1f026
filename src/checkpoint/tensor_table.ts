// What every checkpoint reader returns: a table of tensors that says where each lies and can load it, one at a time.
import type { FormatError } from "../errors/mod.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { type DataType, Tensor, viewArray } from "../tensor/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";

/** The tensors of a file or a whole checkpoint, by name. */
export class TensorTable extends Map<string, StoredWeight> {
  /** Tensors of a type that is not read, which only matters if they are needed: what to throw then. */
  readonly refused: Map<string, FormatError> = new Map();
}

/**
 * Where a tensor's bytes can be taken from, and how to read a part of them; a bool's may hold other bytes than 0 and 1, so
 * it must be read whole.
 */
export function placeOf(
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

/** Make a tensor of little-endian bytes that start their own buffer; of a bool, every byte but 0 is true. */
export function tensorOf(dataType: DataType, shape: readonly number[], bytes: Uint8Array, size: number): Tensor {
  if (dataType === "bool") { for (let i = 0; i < size; i++) bytes[i] = bytes[i] === 0 ? 0 : 1; }
  return new Tensor(dataType, shape, viewArray(dataType, bytes.buffer, bytes.byteOffset, size));
}

/** The product of `shape`, or NaN if that of its axes other than 0 passes `limit` (of an empty tensor: is not exact). */
export function sizeWithin(shape: readonly number[], limit: number): number {
  const empty = shape.includes(0);
  let size = 1;
  for (const axis of shape) {
    if (axis !== 0) size *= axis;
    if (size > (empty ? Number.MAX_SAFE_INTEGER : limit)) return NaN;
  }
  return empty ? 0 : size;
}
