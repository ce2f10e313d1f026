// The matrix product, batched and broadcast as NumPy's.
import { OperandError, type Operator, type Value } from "../graph/mod.ts";
import { transpose } from "./movement.ts";
import { broadcastShapes, floatType, type NoAttributes } from "./shape_inference.ts";

const matmulOperator: Operator<NoAttributes> = {
  name: "matmul",
  operands: ["a", "b"],
  infer: ([a, b]) => {
    if (a.shape.length < 2 || b.shape.length < 2) throw new OperandError("both need at least two axes");
    const [m, k] = a.shape.slice(-2);
    const [rows, n] = b.shape.slice(-2);
    if (k !== rows) throw new OperandError("the inner dimensions must be equal");
    return [{
      dataType: floatType([a, b]),
      shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n],
    }];
  },
};

/** The primitive matrix product. */
export const matrixProducts = { matmul: matmulOperator };

/** The matrix product of a [..., M, K] and b [..., K, N]: [..., M, N], the leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  return a.builder.add(matrixProducts.matmul, [a, b], {})[0];
}

/** Exchange the last two axes. */
export function transposeLast(x: Value): Value {
  const permutation = x.shape.map((_, i) => i);
  permutation.push(...permutation.splice(-2).reverse());
  return transpose(x, { permutation });
}
