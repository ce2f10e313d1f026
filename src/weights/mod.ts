// Stored weights: their description, and reading them in parts.
export { elementReader, type ReadElements } from "./element_reader.ts";
export { joinedWeight } from "./joined_weight.ts";
export {
  type Encoding,
  type FileRegion,
  float32Region,
  type StoredWeight,
  type StoredWeights,
  weightFromTensor,
} from "./stored_weight.ts";
