/**
 * Limner turns pictures into text in Deno: Hugging Face's VisionEncoderDecoder models, straight from their checkpoints.
 *
 * @module
 */
export * from "./src/errors.ts";
export { type DataType, type NestedNumbers, Tensor, type TypedArray } from "./src/tensor/mod.ts";
