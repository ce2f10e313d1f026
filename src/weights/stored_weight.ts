// The description of a weight before it is read: checkpoints make it, models pass it on, and backends read the weight by
// it. It has the elements' encoding and their place in a file; how a device holds them is the backend's affair.
import type { DataType, Tensor } from "../tensor/mod.ts";

/** How a weight's elements are encoded. */
export type Encoding =
  /** Contiguous, row-major, in the weight's data type. */
  | { readonly kind: "plain" }
  /** Whole numbers of a few bits in blocks along the last axis, each block with a scale and, with `zeroPoint`, a zero point. */
  | {
    readonly kind: "blocks";
    readonly bits: 4 | 8;
    /** The number of elements of a block. */
    readonly block: number;
    readonly scales: DataType;
    readonly zeroPoint?: boolean;
  };

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

/** A weight that can be read. Tied weights, which share their whole storage, are one object under several names. */
export interface StoredWeight {
  /** The type of the elements; with blocks, the type that they decode to. */
  readonly dataType: DataType;
  /** The length of each axis. */
  readonly shape: readonly number[];
  /** How the elements are encoded. @default plain */
  readonly encoding?: Encoding;
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
