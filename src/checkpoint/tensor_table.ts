// What every checkpoint reader returns: a table of tensors that says where each lies and can load it, one at a time.
import type { FormatError } from "../errors.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { type DataType, Tensor, viewArray } from "../tensor/mod.ts";

/** A place in a real file where a tensor's elements lie flat: uncompressed, row-major, contiguous, little endian. */
export interface FileRegion {
  /** The file's real path. */
  readonly path: string;
  /** The first byte; it need not be a multiple of the element's size. */
  readonly offset: number;
  /** The number of bytes. */
  readonly byteLength: number;
  /** Throws a HubError if the path has another file by now, or a changed one. */
  readonly check?: () => void;
  /** Reads the bytes at `offset` of the region into the caller's memory, as many as it has. */
  readonly read?: (offset: number, into: Uint8Array<ArrayBuffer>) => Promise<void>;
}

/** What a checkpoint knows about a parameter without reading it. */
export interface ParameterInfo {
  /** The element type on disk. */
  readonly dataType: DataType;
  /** The length of each axis. */
  readonly shape: readonly number[];
  /** Where the elements can be taken from without reading them first; undefined if they lie nowhere in that form. */
  readonly region?: FileRegion;
}

/** A parameter that can be loaded. Of tied weights, which share all of a storage, all names have one. */
export interface StoredTensor extends ParameterInfo {
  /** Read the elements. */
  load(): Promise<Tensor>;
}

/** The tensors of a file or a whole checkpoint, by name. */
export class TensorTable extends Map<string, StoredTensor> {
  /** Tensors of a type that is not read, which only matters if they are needed: what to throw then. */
  readonly refused: Map<string, FormatError> = new Map();
}

/** The region of a tensor's bytes; a bool's may hold other bytes than 0 and 1, so it must be read. */
export function regionOf(
  source: ByteSource,
  dataType: DataType,
  offset: number,
  byteLength: number,
): FileRegion | undefined {
  const { path, check } = source;
  if (path === undefined || dataType === "bool") return undefined;
  const read = source.readInto && ((at: number, into: Uint8Array<ArrayBuffer>) => source.readInto!(offset + at, into));
  return { path, offset, byteLength, check, read };
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
