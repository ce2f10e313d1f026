// What is known of a weight before it is read: the one description that checkpoints give, models pass on, and backends
// read from. How its elements are encoded and where they lie is said here; how a device holds them is the device's affair.
import type { DataType, Tensor } from "../tensor/mod.ts";

/** How a weight's elements are written down. */
export type Encoding =
  /** One after another, row-major, in the weight's data type. */
  | { readonly kind: "plain" }
  /** Whole numbers of a few bits in blocks along the last axis, each block with a scale and, if said, a zero point. */
  | {
    readonly kind: "blocks";
    readonly bits: 4 | 8;
    /** The elements of a block. */
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
  /** Throws a HubError if the path has another file by now, or a changed one. */
  readonly check?: () => void;
}

/** A weight that can be read. Of tied weights, which share all of a storage, all names have one. */
export interface StoredWeight {
  /** The type of the elements; with blocks, the type that they stand for. */
  readonly dataType: DataType;
  /** The length of each axis. */
  readonly shape: readonly number[];
  /** @default plain */
  readonly encoding?: Encoding;
  /** Where the bytes can be taken from without reading them first; undefined if they lie nowhere in that form. */
  readonly region?: FileRegion;
  /** Where a copy of the elements as float32 lies, of a narrower type that was converted once. */
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

/** The weights of a model by checkpoint name. What stands under a name may change, and is read when it is needed. */
export type StoredWeights = ReadonlyMap<string, StoredWeight>;

/** Where a weight's elements lie as float32. */
export function float32Region({ dataType, region, widened }: StoredWeight): FileRegion | undefined {
  return dataType === "float32" ? region : widened;
}

/** A weight that is in memory. */
export function weightOf(tensor: Tensor): StoredWeight {
  return { dataType: tensor.dataType, shape: tensor.shape, load: () => Promise.resolve(tensor) };
}
