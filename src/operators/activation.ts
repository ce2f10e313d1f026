// Activation functions that are compositions, and the names under which configurations ask for one.
import type { Operator, Value } from "../graph/mod.ts";
import { add, erf, mul, pow, relu, sigmoid, tanh } from "./elementwise.ts";
import { floatType, type NoAttributes } from "./shape_inference.ts";

/** How gelu is computed: exactly with erf, by tanh (GPT-2's `gelu_new`), or as x · sigmoid(1.702 x) (`quick_gelu`). */
export type GeluApproximation = "none" | "tanh" | "quick";

const geluOperator: Operator<{ approximation?: GeluApproximation }> = {
  name: "gelu",
  operands: ["x"],
  infer: ([x]) => [{ dataType: floatType([x]), shape: x.shape }],
  decompose: ([x], { approximation = "none" }) => {
    const scalar = (value: number) => x.builder.scalar(value, x.dataType);
    if (approximation === "quick") return [mul(x, sigmoid(mul(x, scalar(1.702))))];
    const half = mul(x, scalar(0.5));
    if (approximation === "none") return [mul(half, add(erf(mul(x, scalar(Math.SQRT1_2))), scalar(1)))];
    const inner = mul(add(x, mul(pow(x, { exponent: 3 }), scalar(0.044715))), scalar(Math.sqrt(2 / Math.PI)));
    return [mul(half, add(tanh(inner), scalar(1)))];
  },
};

const siluOperator: Operator<NoAttributes> = {
  name: "silu",
  operands: ["x"],
  infer: ([x]) => [{ dataType: floatType([x]), shape: x.shape }],
  decompose: ([x]) => [mul(x, sigmoid(x))],
};

/** The composite activations. */
export const activations = { gelu: geluOperator, silu: siluOperator };

/** Gaussian error linear unit, x · Φ(x) (Hendrycks and Gimpel 2016). */
export function gelu(x: Value, attributes: { approximation?: GeluApproximation } = {}): Value {
  return x.builder.add(activations.gelu, [x], attributes)[0];
}

/** x · sigmoid(x). */
export function silu(x: Value): Value {
  return x.builder.add(activations.silu, [x], {})[0];
}

/** An activation that an operator can apply to its result. */
export type Activation = "relu" | "gelu" | "geluTanh" | "geluQuick" | "silu" | "tanh" | "sigmoid";

/** Apply an activation by name. */
export function activate(x: Value, activation: Activation): Value {
  switch (activation) {
    case "relu":
      return relu(x);
    case "gelu":
      return gelu(x);
    case "geluTanh":
      return gelu(x, { approximation: "tanh" });
    case "geluQuick":
      return gelu(x, { approximation: "quick" });
    case "silu":
      return silu(x);
    case "tanh":
      return tanh(x);
    case "sigmoid":
      return sigmoid(x);
  }
}
