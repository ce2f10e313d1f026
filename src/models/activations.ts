// The activations by their names in configurations (transformers.activations.ACT2FN): those that a fully connected layer
// applies by itself, and those that are made of other operators after it.
import type { Value } from "../graph/mod.ts";
import {
  abs,
  activate,
  type Activation,
  add,
  erf,
  exp,
  gelu,
  log,
  mul,
  neg,
  relu,
  sub,
  tanh,
} from "../operators/mod.ts";

/** An activation: one that operators know, or a function. */
export type NamedActivation = Activation | ((x: Value) => Value);

const number = (x: Value, value: number): Value => x.builder.scalar(value, x.dataType);

/** min(x, limit). */
export function atMost(x: Value, limit: number): Value {
  return sub(x, relu(sub(x, number(x, limit))));
}

/** log(1 + e^x). */
const softplus = (x: Value): Value => add(relu(x), log(add(exp(neg(abs(x))), number(x, 1))));

/** The activations by name. */
export const activationNames: Readonly<Record<string, NamedActivation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu_python_tanh: "geluTanh",
  gelu_accurate: "geluTanh",
  quick_gelu: "geluQuick",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
  sigmoid: "sigmoid",
  // Never below −0.17, so that only its upper limit shows.
  gelu_10: (x) => atMost(gelu(x), 10),
  linear: (x) => x,
  relu2: (x) => mul(relu(x), relu(x)),
  relu6: (x) => atMost(relu(x), 6),
  leaky_relu: (x) => sub(relu(x), mul(relu(neg(x)), number(x, 0.01))),
  hardswish: (x) => mul(mul(x, atMost(relu(add(x, number(x, 3))), 6)), number(x, 1 / 6)),
  mish: (x) => mul(x, tanh(softplus(x))),
  // Φ of a normal distribution (Ma et al. 2022, Mega).
  laplace: (x) =>
    mul(add(erf(mul(sub(x, number(x, 0.707107)), number(x, Math.SQRT1_2 / 0.282095))), number(x, 1)), number(x, 0.5)),
};

/** Apply an activation. */
export function applyActivation(x: Value, activation: NamedActivation): Value {
  return typeof activation === "function" ? activation(x) : activate(x, activation);
}
