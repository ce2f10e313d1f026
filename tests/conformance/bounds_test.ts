// The bounds themselves: what they are, and that they can be exceeded.
import { assert, assertEquals, AssertionError, assertThrows } from "@std/assert";
import { load } from "../../backends/reference/mod.ts";
import { GraphBuilder, type Value } from "../../src/graph/mod.ts";
import * as operators from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { type Bounded, ulp } from "./bounds.ts";
import { assertWithin } from "./closeness.ts";
import { execute } from "./execute.ts";
import { numbers } from "./repeatable_numbers.ts";
import { caseFiles, evaluateCase, readCases } from "./operators.ts";
import { evaluate } from "./oracle.ts";

const { add, attention, cast, div, exp, gelu, greaterOrEqual, layerNormalization, linear, log } = operators;
const { matmul, movement, mul, reduceSum, relu, slice, softmax, tanh, where } = operators;

const floats = (...values: number[]) => new Tensor("float32", [values.length], Float32Array.from(values));

/** A program of some operands. */
function program(build: (...values: Value[]) => Value, operands: readonly (Tensor | Bounded)[]) {
  const builder = new GraphBuilder("program");
  const tensors = operands.map((x) => "error" in x ? x.value : x);
  const inputs = tensors.map(({ shape }, i) => builder.input(`x${i}`, "float32", shape));
  builder.output("y", build(...inputs));
  return { graph: builder.build(), given: Object.fromEntries(operands.map((x, i) => [`x${i}`, x])) };
}

/** The errors that are allowed of a program's result. */
function errorsOf(build: (...values: Value[]) => Value, ...operands: (Tensor | Bounded)[]): number[] {
  const { graph, given } = program(build, operands);
  return [...evaluate(graph, given).y.error.data as Float64Array];
}

function assertNear(actual: number[], expected: number[]): void {
  assertEquals(actual.map((x) => x.toPrecision(6)), expected.map((x) => x.toPrecision(6)));
}

Deno.test("bounds: an ulp is the distance of neighbours", () => {
  const next = (x: number) => {
    const bits = new Uint32Array(Float32Array.of(x).buffer);
    bits[0]++;
    return new Float32Array(bits.buffer)[0];
  };
  for (const x of [1, 1.5, 0.1, 7, 2 ** 100, 2 ** -126, 2 ** -140, 0]) {
    const number = Math.fround(x);
    assertEquals(ulp(number), next(number) - number);
    assertEquals(ulp(-number), next(number) - number);
  }
});

Deno.test("bounds: a product is off by K · 2⁻²⁴ · Σ|a||b|, and a sum by one rounding less", () => {
  const [a, b] = [numbers(1, 2, 3), numbers(2, 3, 1)];
  const sums = [0, 1].map((row) =>
    [0, 1, 2].reduce((sum, k) => sum + Math.abs(Number(a.data[row * 3 + k]) * Number(b.data[k])), 0)
  );
  assertNear(errorsOf(matmul, a, b), sums.map((x) => 3 * 2 ** -24 * x));
  const row = floats(1, -2, 4);
  assertNear(errorsOf((x) => reduceSum(x, { axes: [0] }), row), [2 * 2 ** -24 * 7]);
});

Deno.test("bounds: functions are as accurate as WGSL's table", () => {
  assertNear(errorsOf(exp, floats(2, -30)), [7 * ulp(Math.exp(2)), 63 * ulp(Math.exp(-30))]);
  assertNear(errorsOf(log, floats(0.5, 1.5, 10)), [2 ** -21, 2 ** -21, 3 * ulp(Math.log(10))]);
  assertNear(errorsOf(tanh, floats(0.3)), [1e-5]);
  assertNear(errorsOf(div, floats(1), floats(3)), [2.5 * ulp(1 / 3)]);
  assertNear(errorsOf(mul, floats(0.1), floats(0.1)), [ulp(0.01)]);
});

Deno.test("bounds: what is moved, chosen or whole is exact", () => {
  const x = floats(0.1, -0.7, 3);
  assertEquals(errorsOf((x) => slice(x, { starts: [1], sizes: [2] }), x), [0, 0]);
  assertEquals(errorsOf(relu, x), [0, 0, 0]);
  assertEquals(errorsOf(add, floats(1e30, 3, 0.5), floats(0, 4, 0.25)), [0, 0, 0]);
  const half = (x: Value) => cast(cast(x, { dataType: "float16" }), { dataType: "float32" });
  assertEquals(errorsOf(half, x), [0, 0, 0]);
});

Deno.test("bounds: a step carries on the errors of those before it", () => {
  const known = (value: number[], error: number[]): Bounded => ({
    value: new Tensor("float64", [value.length], Float64Array.from(value)),
    error: new Tensor("float64", [error.length], Float64Array.from(error)),
  });
  const x = known([2, 0], [0.25, 0]);
  assertNear(errorsOf((x) => slice(x, { starts: [0], sizes: [1] }), x), [0.25]);
  assertNear(errorsOf(mul, x, floats(3, 3)), [0.75 + ulp(6.75), 0]);
  // Two that were computed may be added to others first.
  assertNear(errorsOf(add, x, floats(-1, 0)), [0.25 + 2 * ulp(2.25), 0]);
  // The exponential of a sum.
  const sum = (a: Value, b: Value) => exp(add(a, b));
  const [s, e] = [Math.fround(0.1) + Math.fround(0.7), ulp(0.8)];
  const moves = Math.exp(s + e) - Math.exp(s);
  assertNear(errorsOf(sum, floats(0.1), floats(0.7)), [moves + (3 + 2 * (s + e)) * ulp(Math.exp(s))]);
  // A comparison that may come out either way, and one that may not.
  const choose = (x: Value) => where(greaterOrEqual(x, x.builder.scalar(2)), x.builder.scalar(5), x.builder.scalar(1));
  assertEquals(errorsOf(choose, x), [4, 0]);
  // What may be divided by 0 has no bound.
  assertEquals(errorsOf(div, floats(1), known([0.1], [0.2])), [Infinity]);
});

/** The operators that compute nothing. */
const copies: ReadonlySet<string> = new Set([
  ...Object.keys(movement),
  ...["split", "roll", "triangular", "gather", "scatter", "where", "cacheAppend", "cacheReorder", "topK"],
  ...["relu", "neg", "abs", "equal", "greaterOrEqual", "reduceMax", "argMax", "range"],
]);

/** Check that a number may be off by as much as `assertWithin` promises and by no more, in places of a result. */
function checkEdges({ value, error }: Bounded, what: string): void {
  const ceiling = 2e-4;
  const values = Array.from(value.data, Number);
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const most = largest < 1e-8 ? 1e-8 : ceiling * largest;
  for (const at of new Set([0, values.findIndex((x) => Math.abs(x) === largest), values.length - 1])) {
    const own = error.data[at] as number;
    const allowed = own === 0 ? 0 : Math.min(own + ulp(values[at]) / 2, most);
    const check = (by: number) => {
      const data = Float64Array.from(values);
      data[at] += by;
      assertWithin(new Tensor("float64", value.shape, data), { value, error }, ceiling, what);
    };
    for (const sign of [1, -1]) {
      check(sign * allowed * 0.999);
      assertThrows(() => check(sign * (allowed * 1.001 || ulp(values[at]))), AssertionError, "it is off by");
    }
  }
}

for (const file of caseFiles) {
  Deno.test(`bounds: in ${file}.json the oracle is PyTorch's equal, and what is off by more than its bound is refused`, async () => {
    for (const each of await readCases(file)) {
      const exact = evaluateCase(each);
      for (const [key, value] of Object.entries(each.goldens)) {
        const golden = { value, error: exact[key].error };
        assertWithin(exact[key].value, golden, each.roundedCeiling ?? 1e-6, `${each.name}: ${key}`);
        checkEdges(golden, `${each.name}: ${key}`);
        const isCopy = copies.has(each.graph.nodes.at(-1)!.operator.name) && !key.startsWith("gradient");
        if (isCopy) assertEquals([...golden.error.data].every((e) => e === 0), true, each.name);
      }
    }
  });
}

/** What a right kernel computes, and what one does that is a little wrong. */
const mistakes: [name: string, shapes: number[][], right: (...x: Value[]) => Value, wrong: (...x: Value[]) => Value][] =
  [
    ["operands of a product are rounded to bfloat16", [[5, 64], [64, 7]], matmul, (a, b) => matmul(half(a), half(b))],
    ["the last term of a product is left out", [[5, 64], [64, 7]], matmul, (a, b) => {
      const first = (x: Value, sizes: number[]) => slice(x, { starts: [0, 0], sizes });
      return matmul(first(a, [5, 63]), first(b, [63, 7]));
    }],
    ["a bias is forgotten", [[3, 8], [4, 8], [4]], (x, w, bias) => linear(x, w, { bias }), (x, w) => linear(x, w)],
    ["softmax is over another axis", [[6, 6]], (x) => softmax(x, { axis: 1 }), (x) => softmax(x, { axis: 0 })],
    ["a power has the accuracy of half precision", [[100]], exp, (x) => half(exp(x))],
    ["gelu is by tanh", [[100]], (x) => gelu(x), (x) => gelu(x, { approximation: "tanh" })],
    [
      "the variance has another epsilon",
      [[3, 33], [33], [33]],
      (x, scale, bias) => layerNormalization(x, { scale, bias, epsilon: 1e-5 }),
      (x, scale, bias) => layerNormalization(x, { scale, bias, epsilon: 1e-4 }),
    ],
    [
      "a query sees the token after it",
      [[1, 1, 5, 8], [1, 1, 5, 8], [1, 1, 5, 8]],
      (q, k, v) => attention(q, k, v, { causal: true }),
      (q, k, v) => attention(q, k, v),
    ],
    [
      "scores are scaled for other heads",
      [[1, 2, 5, 8], [1, 2, 5, 8], [1, 2, 5, 8]],
      (q, k, v) => attention(q, k, v),
      (q, k, v) => attention(q, k, v, { scale: 0.36 }),
    ],
  ];

function half(x: Value): Value {
  return cast(cast(x, { dataType: "bfloat16" }), { dataType: "float32" });
}

Deno.test("bounds: kernels that are a little wrong are refused, whatever the ceiling", async (t) => {
  await using reference = await load();
  for (const [name, shapes, right, wrong] of mistakes) {
    await t.step(name, async () => {
      const operands = shapes.map((shape, i) => numbers(i, ...shape));
      const { graph, given } = program(right, operands);
      const expected = evaluate(graph, given).y;
      const run = async (build: typeof right) =>
        (await execute(reference, program(build, operands).graph, given as Record<string, Tensor>)).y;
      assertWithin(await run(right), expected, Infinity, name);
      const mistaken = await run(wrong);
      assertThrows(() => assertWithin(mistaken, expected, Infinity, name), AssertionError, "it is off by");
      assert([...expected.error.data as Float64Array].every(Number.isFinite));
    });
  }
});
