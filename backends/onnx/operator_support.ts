// The operators that not every runtime has: those of com.microsoft, which a build may leave out, and those of the newest ONNX.
// A lowering uses one where the runtime has it, and does without it elsewhere.

/** The operators that not every runtime has. */
const optionalOperators = ["FusedMatMul", "MultiHeadAttention", "GroupQueryAttention", "TensorScatter"] as const;

/** An operator that not every runtime has. */
export type OptionalOperator = (typeof optionalOperators)[number];

/** The optional operators that a runtime has. */
export type OperatorSupport = ReadonlySet<OptionalOperator>;

/** All of them: what ONNX Runtime has as its makers publish it, from 1.24 on. */
export const allOperators: OperatorSupport = new Set(optionalOperators);
