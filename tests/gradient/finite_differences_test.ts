// The gradient rule of every primitive, and of the composites that have one, against central differences in float64.
import { assert, assertEquals } from "@std/assert";
import { differentiate } from "../../src/gradient/mod.ts";
import { type Builder, GraphBuilder, type Value } from "../../src/graph/mod.ts";
import * as operators from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import type { Bounded } from "../conformance/bounds.ts";
import { evaluate } from "../conformance/oracle.ts";
import { int64, numbers } from "../conformance/repeatable_numbers.ts";

/** A function of values, and the shapes of those it is differentiated by. */
interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly of: (values: readonly Value[], builder: Builder) => Value;
  /** Whether the values have to be above 0. */
  readonly positive?: boolean;
}

const ids = (builder: Builder, ...values: number[]) =>
  builder.constant(new Tensor("int64", [values.length], int64(...values)));
const mask = (builder: Builder, ...values: number[]) =>
  builder.constant(new Tensor("bool", [values.length], Uint8Array.from(values)));
const unary = (of: (x: Value) => Value, positive = false): Case => ({ shapes: [[2, 3]], of: ([x]) => of(x), positive });
const binary = (of: (a: Value, b: Value) => Value, positive = false): Case => ({
  shapes: [[2, 3], [3]],
  of: ([a, b]) => of(a, b),
  positive,
});

const cases: Readonly<Record<string, Case>> = {
  add: binary(operators.add),
  sub: binary(operators.sub),
  mul: binary(operators.mul),
  div: binary(operators.div, true),
  sqrt: unary(operators.sqrt, true),
  exp: unary(operators.exp),
  log: unary(operators.log, true),
  tanh: unary(operators.tanh),
  erf: unary(operators.erf),
  sigmoid: unary(operators.sigmoid),
  relu: unary(operators.relu),
  neg: unary(operators.neg),
  abs: unary(operators.abs),
  pow: unary((x) => operators.pow(x, { exponent: 2.5 }), true),
  where: { shapes: [[2, 3], [3]], of: ([a, b], builder) => operators.where(mask(builder, 1, 0, 1), a, b) },
  cast: unary((x) => operators.cast(x, { dataType: "float32" })),
  reshape: unary((x) => operators.reshape(x, { shape: [3, 2] })),
  transpose: unary((x) => operators.transpose(x, { permutation: [1, 0] })),
  expand: { shapes: [[1, 3]], of: ([x]) => operators.expand(x, { shape: [2, 2, 3] }) },
  concat: { shapes: [[2, 3], [2, 1]], of: (values) => operators.concat(values, { axis: 1 }) },
  slice: unary((x) => operators.slice(x, { starts: [0, 1], sizes: [2, 2] })),
  pad: unary((x) => operators.pad(x, { beginning: [1, 0], ending: [0, 2] })),
  matmul: { shapes: [[2, 2, 3], [3, 2]], of: ([a, b]) => operators.matmul(a, b) },
  reduceSum: unary((x) => operators.reduceSum(x, { axes: [1] })),
  reduceMax: unary((x) => operators.reduceMax(x, { axes: [0], keepDimensions: true })),
  cumulativeSum: unary((x) => operators.cumulativeSum(x, { axis: 1 })),
  topK: unary((x) => operators.topK(x, { k: 2, axis: -1 })[0]),
  gather: { shapes: [[3, 2]], of: ([table], builder) => operators.gather(table, ids(builder, 2, 0, 2), { axis: 0 }) },
  scatterAdd: {
    shapes: [[3, 2]],
    of: ([updates], builder) => operators.scatterAdd(ids(builder, 1, 3, 1), updates, { size: 4 }),
  },
  scatter: {
    shapes: [[4, 2], [2, 2]],
    of: ([x, updates], builder) => operators.scatter(x, ids(builder, 3, 0), updates),
  },
  cacheAppend: { shapes: [[2, 4], [2, 2]], of: ([state, x]) => operators.cacheAppend(state, x, { axis: 1, at: 1 }) },
  "cacheAppend of rows": {
    shapes: [[2, 2, 4, 2], [2, 2, 1, 2]],
    of: ([state, x], builder) => operators.cacheAppend(state, x, { axis: 2, at: ids(builder, 3, 1) }),
  },
  assign: { shapes: [[2, 3], [2, 3]], of: ([state, x]) => operators.assign(state, x) },
  softmax: unary((x) => operators.softmax(x, { axis: -1 })),
  logSoftmax: unary((x) => operators.logSoftmax(x, { axis: -1 })),
};

/** What has no gradient: decisions, places, and random draws. */
const without = ["equal", "greaterOrEqual", "argMax", "range", "bernoulli"];

/** Numbers in float64 that are known exactly, apart from one another and from 0. */
function given(data: Float64Array, shape: readonly number[]): Bounded {
  return {
    value: new Tensor("float64", shape, data),
    error: new Tensor("float64", shape, new Float64Array(data.length)),
  };
}

const start = (seed: number, shape: readonly number[], positive = false) =>
  Float64Array.from(numbers(seed, ...shape).data as Float32Array, (x) => positive ? 1.5 + x : x + Math.sign(x) * 0.1);

for (const [name, { shapes, of, positive }] of Object.entries(cases)) {
  Deno.test(`${name}: its gradient is that of differences`, () => {
    const builder = new GraphBuilder(name);
    // A state may be written, and is differentiated by as an input is.
    const writes = name.startsWith("cacheAppend") || name === "assign";
    const values = shapes.map((shape, i) =>
      writes && i === 0 ? builder.state(`x${i}`, "float32", shape) : builder.input(`x${i}`, "float32", shape)
    );
    const y = of(values, builder);
    const weights = builder.constant(numbers(9, ...y.shape as number[]));
    const axes = y.shape.map((_, axis) => axis);
    builder.output("sum", operators.reduceSum(operators.mul(y, weights), { axes }));
    const graph = builder.build();
    const wrt = shapes.map((_, i) => (graph.inputs.get(`x${i}`) ?? graph.states.get(`x${i}`))!);
    const extended = differentiate(graph, "sum", wrt, (builder, moved, gradients) => {
      gradients.forEach((gradient, i) => {
        builder.output(`g${i}`, gradient ?? operators.mul(moved[i], builder.scalar(0)));
      });
    });
    const at = shapes.map((shape, i) => start(i + 1, shape, positive));
    const inputs = () => Object.fromEntries(shapes.map((shape, i) => [`x${i}`, given(at[i].slice(), shape)]));
    const found = evaluate(extended, inputs());
    const sum = () => Number(evaluate(graph, inputs()).sum.value.data[0]);
    const step = 1e-5;
    shapes.forEach((_, i) => {
      const gradient = found[`g${i}`].value.data as Float64Array;
      const differences = at[i].map((x, j) => {
        at[i][j] = x + step;
        const above = sum();
        at[i][j] = x - step;
        const below = sum();
        at[i][j] = x;
        return (above - below) / (2 * step);
      });
      const largest = differences.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      gradient.forEach((x, j) => {
        const error = Math.abs(x - differences[j]) / largest;
        assert(error <= 1e-4, `element ${j} of operand ${i}: ${x}, by differences ${differences[j]}`);
      });
    });
  });
}

Deno.test("every primitive has a case, or no gradient", () => {
  const names = Object.keys(operators.primitives);
  assertEquals(names.filter((name) => !Object.hasOwn(cases, name) && !without.includes(name)), []);
});
