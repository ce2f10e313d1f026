// Graphs as ONNX models, without any runtime.
export { onnxTypes } from "./model_builder.ts";
export { type FusedCache, type OnnxModel, type ParameterLocation, supportsNode, toOnnx } from "./to_onnx.ts";
