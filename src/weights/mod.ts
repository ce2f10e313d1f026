// Stored weights: their description and encodings. What encodes them is imported from its file by who does it, which loading a
// model rarely does.
export {
  type BlockEncoding,
  type Blocks,
  type BlockShapes,
  blockShapes,
  type CodeForm,
  codeType,
  decodeBlocks,
  hasRowScales,
  layOutCodes,
  middleOf,
} from "./block_encoding.ts";
export type { ReadElements } from "./element_reader.ts";
export { decodedWeight, weightOfBlocks } from "./weight_of_blocks.ts";
export { joinedWeight } from "./joined_weight.ts";
export {
  type FileRegion,
  float32Region,
  type StoredBlocks,
  type StoredWeight,
  type StoredWeights,
  weightFromTensor,
} from "./stored_weight.ts";
