// How new parameters are filled, by Hugging Face's rules: matrices normal, biases zero, scales one, unless a family
// says otherwise. Every parameter has its own stream of random numbers, made of the seed and its name.
import { sizeOf, Tensor } from "../../tensor/mod.ts";

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

/** Uniform numbers in [0, 1) from a seed and a name: sfc32, seeded by FNV-1a. */
function uniform(seed: number, name: string): () => number {
  let hash = 0x811c9dc5 ^ seed;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  let [a, b, c, counter] = [hash, seed, Math.floor(seed / 2 ** 32), 1];
  const next = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Normal numbers of deviation 1, by Box and Muller. */
function normal(next: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
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
  const next = uniform(seed, name);
  if (initial.kind === "uniform") {
    return new Tensor("float32", shape, data.map(() => (2 * next() - 1) * initial.bound));
  }
  const draw = normal(next);
  for (let i = 0; i < data.length; i++) {
    let value = draw() * initial.deviation;
    while (initial.kind === "truncatedNormal" && Math.abs(value) > 2) value = draw() * initial.deviation;
    data[i] = value;
  }
  if (initial.kind === "normal" && initial.zeroRow !== undefined) {
    const width = data.length / shape[0];
    data.fill(0, initial.zeroRow * width, (initial.zeroRow + 1) * width);
  }
  return new Tensor("float32", shape, data);
}
