// What every backend promises of random decisions: the same as the reference's, whatever the shape, and found again by the
// gradient of what was dropped.
import { assertEquals } from "@std/assert";
import { randomKernels } from "../../backends/reference/random.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import { type Backend, type Graph, GraphBuilder, type Shape } from "../../src/graph/mod.ts";
import {
  bernoulli,
  type BernoulliAttributes,
  decisionShape,
  dropout,
  type DropoutAttributes,
  mul,
  randomKey,
  transpose,
} from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "./closeness.ts";
import { execute } from "./execute.ts";
import { numbers } from "./repeatable_numbers.ts";

/** A step's key as a tensor. */
export function keyTensor(seed: number, step: number): Tensor {
  return new Tensor("int64", [2], randomKey(seed, step));
}

/** The reference's decisions. */
export function decide(key: Tensor, shape: readonly number[], attributes: Omit<BernoulliAttributes, "shape">): Tensor {
  const context = { sizes: {}, outputs: [{ dataType: "bool", shape } as const] };
  return randomKernels.bernoulli([key], { ...attributes, shape }, context)[0];
}

const sizes = { batch: 3, T: 5 };

/** Shapes with the lengths of their names. */
const shapes: readonly (readonly [shape: Shape, resolved: readonly number[]])[] = [
  [[], []],
  [[7], [7]],
  [[3, 1, 1], [3, 1, 1]],
  [["batch", "T", 33], [3, 5, 33]],
  [["batch", 2, "T", "T+1"], [3, 2, 5, 6]],
  [[2, 130, 67], [2, 130, 67]],
];

const bernoullis = [
  { probability: 0.9, stream: 0 },
  { probability: 0.25, stream: 0xfedcba98 },
  { probability: 1, stream: 1 },
  { probability: 2 ** -40, stream: 1 },
];

function drawing(): Graph {
  const builder = new GraphBuilder("draws");
  const key = builder.input("key", "int64", [2]);
  shapes.forEach(([shape], i) =>
    bernoullis.forEach((attributes, n) => builder.output(`${i} ${n}`, bernoulli(key, { shape, ...attributes })))
  );
  return builder.build();
}

const dropouts: readonly DropoutAttributes[] = [
  { probability: 0.1, stream: 5 },
  { probability: 0.5, stream: 0x80000001 },
  { probability: 0, stream: 3 },
  { probability: 0.4, stream: 6, perSample: true },
];

/** Dropped values of a transposed x, and the gradient of their sum weighed by w. */
function dropping(): Graph {
  const builder = new GraphBuilder("drops");
  const [x, w] = ["x", "w"].map((name, i) =>
    builder.input(name, "float32", i === 0 ? [6, "batch", 9] : ["batch", 6, 9])
  );
  const key = builder.input("key", "int64", [2]);
  let y = transpose(x, { permutation: [1, 0, 2] });
  dropouts.forEach((attributes, i) => builder.output(`y${i}`, y = dropout(y, key, attributes)));
  builder.output("weighed", mul(y, w));
  return differentiate(
    builder.build(),
    "weighed",
    [x],
    (extended, _, [gradient]) => extended.output("gradient", gradient!),
  );
}

/**
 * Check what a backend promises of random decisions.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 */
export function drawProofs(name: string, load: () => Promise<Backend>): void {
  Deno.test(`${name} draws the same decisions as the reference`, async () => {
    await using backend = await load();
    for (const [seed, step] of [[0, 0], [2 ** 53 - 1, 2 ** 40 + 1], [7, 1]]) {
      const key = keyTensor(seed, step);
      const drawn = await execute(backend, drawing(), { key }, sizes);
      shapes.forEach(([, resolved], i) =>
        bernoullis.forEach((attributes, n) => {
          assertEquals(drawn[`${i} ${n}`].data, decide(key, resolved, attributes).data);
        })
      );
    }
  });

  Deno.test(`${name} drops elements and samples, and their gradients`, async () => {
    await using backend = await load();
    const key = keyTensor(11, 12);
    const [x, w] = [numbers(1, 6, 3, 9), numbers(2, 3, 6, 9)];
    const results = await execute(backend, dropping(), { x, w, key }, sizes);
    const factors = new Float32Array(x.size).fill(1);
    const moved = Float32Array.from({ length: x.size }, (_, i) => {
      const [b, row, column] = [Math.floor(i / 54), Math.floor(i / 9) % 6, i % 9];
      return x.data[(row * 3 + b) * 9 + column] as number;
    });
    dropouts.forEach((attributes, i) => {
      const { probability, stream, perSample } = attributes;
      const shape = decisionShape([3, 6, 9], attributes) as number[];
      const { data } = decide(key, shape, { probability: 1 - probability, stream });
      factors.forEach((factor, at) =>
        factors[at] = factor * (data[perSample ? Math.floor(at / 54) : at] ? 1 / (1 - probability) : 0)
      );
      const expected = new Tensor("float32", [3, 6, 9], moved.map((value, at) => value * factors[at]));
      assertClose(results[`y${i}`], expected, 1e-6, `y${i}`);
    });
    const gradient = Float32Array.from({ length: x.size }, (_, i) => {
      const at = (Math.floor(i / 9) % 3) * 54 + Math.floor(i / 27) * 9 + i % 9;
      return (w.data[at] as number) * factors[at];
    });
    assertClose(results.gradient, new Tensor("float32", [6, 3, 9], gradient), 1e-6, "the gradient");
  });
}
