// Hidden states cut into heads and joined again, and the names of activations in configurations.
import type { Value } from "../graph/mod.ts";
import { type Activation, reshape, transpose } from "../operators/mod.ts";

/** [rows, T, H · D] to [rows, H, T, D]. */
export function splitHeads(x: Value, heads: number): Value {
  const [rows, T, width] = x.shape;
  const cut = reshape(x, { shape: [rows, T, heads, (width as number) / heads] });
  return transpose(cut, { permutation: [0, 2, 1, 3] });
}

/** [rows, H, T, D] to [rows, T, H · D]. */
export function joinHeads(x: Value): Value {
  const [rows, heads, T, width] = x.shape;
  const cut = transpose(x, { permutation: [0, 2, 1, 3] });
  return reshape(cut, { shape: [rows, T, (heads as number) * (width as number)] });
}

/** The activations by their names in configurations (transformers.activations.ACT2FN). */
export const activationNames: Readonly<Record<string, Activation>> = {
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
};
