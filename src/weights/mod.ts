// Stored weights: what is known of them, and reading them.
export { elementsOf, type ReadElements } from "./read_elements.ts";
export {
  type Encoding,
  type FileRegion,
  float32Region,
  type StoredWeight,
  type StoredWeights,
  weightOf,
} from "./stored_weight.ts";
