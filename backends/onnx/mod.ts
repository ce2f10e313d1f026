// Graphs as ONNX models, without any runtime.
export { hasManyRows, isOnlyMultiplied, readsBlocks } from "./block_lowering.ts";
export type { BlockInitializer, BlockLocation, IntegerProducts } from "./block_parameter.ts";
export { onnxTypes } from "./model_builder.ts";
export { type FusedCache, type OnnxModel, type ParameterLocation, supportsNode, toOnnx } from "./to_onnx.ts";
export { allOperators, type OperatorSupport, type OptionalOperator } from "./operator_support.ts";
