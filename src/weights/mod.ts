// Stored weights: their description, reading them in parts, and holding them in few bits.
export {
  type BlockEncoding,
  type Blocks,
  type BlockShapes,
  blockShapes,
  decodeBlocks,
  hasRowScales,
  middleOf,
} from "./block_encoding.ts";
export { encodeBlocks } from "./encode_blocks.ts";
export { elementReader, type ReadElements } from "./element_reader.ts";
export { decodedWeight, Quantizer, weightOfBlocks } from "./quantized_weight.ts";
export { joinedWeight } from "./joined_weight.ts";
export {
  type FileRegion,
  float32Region,
  type StoredBlocks,
  type StoredWeight,
  type StoredWeights,
  weightFromTensor,
} from "./stored_weight.ts";
