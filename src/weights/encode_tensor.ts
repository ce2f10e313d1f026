// Encoding a tensor of any floating-point type; it runs on the main thread or in a worker.
import { type DataType, toFloat32, type TypedArray } from "../tensor/mod.ts";
import { type BlockEncoding, type Blocks, encodeBlocks } from "./block_encoding.ts";

/** A matrix and how to encode it. */
export interface EncodeTask {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
  readonly encoding: BlockEncoding;
}

/** The blocks, or why there are none. */
export type Encoded = Blocks | { readonly fault: string };

/** Encode a matrix; never throws. */
export function encodeTensor({ dataType, shape, data, encoding }: EncodeTask): Encoded {
  try {
    return encodeBlocks(toFloat32(dataType, data), shape, encoding);
  } catch (error) {
    return { fault: (error as Error).message };
  }
}
