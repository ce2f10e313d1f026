// The description of a weight before it is read: checkpoints make it, models pass it on, and backends read the weight by
// it. It has the elements' encoding and their place in a file; how a device holds them is the backend's affair.
import type { DataType, Tensor } from "../tensor/mod.ts";
import type { BlockEncoding, Blocks, CodeForm } from "./block_encoding.ts";

/** A place in a real file where a weight's bytes lie: uncompressed, contiguous, little-endian. */
export interface FileRegion {
  /** The file's real path, symlinks resolved. */
  readonly path: string;
  /** The first byte; it need not be a multiple of the element's size. */
  readonly offset: number;
  /** The number of bytes. */
  readonly byteLength: number;
  /** Throws a HubError if the file at the path was replaced or changed since the weight was opened. */
  readonly check?: () => void;
}

/** A weight that is held in blocks of few bits. */
export interface StoredBlocks extends BlockEncoding {
  /** Where the codes and the scales lie in a file; undefined where no file has them, as when they are made while loading. */
  readonly regions?: { readonly codes: FileRegion; readonly scales: FileRegion };
  /** How the codes lie there; `load` gives rows. @default "rows" */
  readonly form?: CodeForm;
  /** Read them, or make them. */
  load(): Promise<Blocks>;
}

/** A weight that can be read. Tied weights, which share their whole storage, are one object under several names. */
export interface StoredWeight {
  /** The type of the elements; with blocks, the type that they decode to. */
  readonly dataType: DataType;
  /** The length of each axis. */
  readonly shape: readonly number[];
  /** The weight in blocks of 8 or 4 bits, which `load` decodes. @default elements of the data type, contiguous, row-major */
  readonly blocks?: StoredBlocks;
  /** Where the bytes lie in a file that can be mapped; undefined where no file has them in that form. */
  readonly region?: FileRegion;
  /** Where a float32 copy of the elements lies, for a weight of a narrower type that was converted once. */
  readonly widened?: FileRegion;
  /** Read the elements, in their own data type. */
  load(): Promise<Tensor>;
  /**
   * Read a part of the bytes into the caller's memory; undefined where a weight can only be read whole.
   *
   * @param offset The part's first byte in the weight.
   * @param into Takes as many bytes as it has.
   */
  readonly readInto?: (offset: number, into: Uint8Array<ArrayBuffer>) => Promise<void>;
}

/** The weights of a model by checkpoint name. The weight of a name may be replaced, so look it up when it is needed. */
export type StoredWeights = ReadonlyMap<string, StoredWeight>;

/** Where a weight's elements lie in a file as float32; undefined where no file has them so. */
export function float32Region({ dataType, region, widened }: StoredWeight): FileRegion | undefined {
  return dataType === "float32" ? region : widened;
}

/** A tensor in memory as a weight. */
export function weightFromTensor(tensor: Tensor): StoredWeight {
  return { dataType: tensor.dataType, shape: tensor.shape, load: () => Promise.resolve(tensor) };
}
