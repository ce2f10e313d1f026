// Weights that are held in blocks of few bits.
import { Tensor } from "../tensor/mod.ts";
import { decodeBlocks } from "./block_encoding.ts";
import type { StoredBlocks, StoredWeight } from "./stored_weight.ts";

/** A weight of which there are only blocks. */
export function weightOfBlocks(shape: readonly number[], blocks: StoredBlocks): StoredWeight {
  return {
    dataType: "float32",
    shape,
    blocks,
    load: async () => new Tensor("float32", shape, decodeBlocks(await blocks.load(), shape, blocks)),
  };
}

/** A weight in blocks as one of float32, which is decoded when it is read. */
export function decodedWeight({ dataType, shape, load }: StoredWeight): StoredWeight {
  return { dataType, shape, load };
}
