// How new parameters are filled, by Hugging Face's rules: matrices normal, biases zero, scales one, unless a family
// says otherwise. Every parameter has its own stream of random numbers, made of the seed and its name.
import { sizeOf, Tensor } from "../../tensor/mod.ts";
import { fillNormal, fillUniform, RandomWords } from "./_random_numbers.ts";

/** How a parameter is filled. */
export type Initial =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly deviation: number; readonly zeroRow?: number }
  /** Normal, drawn again outside [-2, 2] (torch.nn.init.trunc_normal_). */
  | { readonly kind: "truncatedNormal"; readonly deviation: number }
  /** Uniform in [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "table"; readonly table: Tensor };

/** Filled with zeros. */
export const zeros: Initial = { kind: "constant", value: 0 };

/**
 * The rule that a parameter's name and shape say: biases are 0, scales 1, and matrices normal.
 *
 * @param deviation The standard deviation of matrices.
 */
export function initialByName(name: string, shape: readonly number[], deviation: number): Initial {
  if (/(^|\.)bias$/.test(name)) return zeros;
  if (shape.length === 1) return { kind: "constant", value: 1 };
  return { kind: "normal", deviation };
}

/** How many numbers each output of a matrix or kernel [outputs, inputs, ...] is made of, and each input goes to. */
function fansOf([outputs, inputs, ...kernel]: readonly number[]): { into: number; out: number } {
  const area = kernel.reduce((product, side) => product * side, 1);
  return { into: inputs * area, out: outputs * area };
}

/** Glorot and Bengio's rule (torch.nn.init.xavier_uniform_). */
export function xavierUniform(shape: readonly number[]): Initial {
  const { into, out } = fansOf(shape);
  return { kind: "uniform", bound: Math.sqrt(6 / (into + out)) };
}

/** LeCun's rule, as transformers.initialization.lecun_normal_. */
export function lecunNormal(shape: readonly number[]): Initial {
  return { kind: "truncatedNormal", deviation: Math.sqrt(1 / fansOf(shape).into) / 0.8796256610342398 };
}

/**
 * Fill a new parameter.
 *
 * @param name Its checkpoint name, which picks its random numbers.
 * @param seed A whole number.
 * @returns float32, the same for the same name and seed.
 */
export function fill(initial: Initial, name: string, shape: readonly number[], seed: number): Tensor {
  if (initial.kind === "table") return initial.table;
  const data = new Float32Array(sizeOf(shape));
  if (initial.kind === "constant") return new Tensor("float32", shape, data.fill(initial.value));
  const words = new RandomWords(seed, name);
  if (initial.kind === "uniform") fillUniform(data, words, initial.bound);
  else fillNormal(data, words, initial.deviation, initial.kind === "truncatedNormal" ? 2 : Infinity);
  if (initial.kind === "normal" && initial.zeroRow !== undefined) {
    const width = data.length / shape[0];
    data.fill(0, initial.zeroRow * width, (initial.zeroRow + 1) * width);
  }
  return new Tensor("float32", shape, data);
}
