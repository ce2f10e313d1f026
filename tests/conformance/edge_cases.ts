// What the goldens do not have: NaN, infinities, ties, half precision and tensors without elements, on any backend.
import { assert, assertEquals } from "@std/assert";
import { type Backend, GraphBuilder, type Sizes, type Value } from "../../src/graph/mod.ts";
import * as operators from "../../src/operators/mod.ts";
import { type DataType, Tensor, toBfloat16, toFloat32 } from "../../src/tensor/mod.ts";
import { execute } from "./execute.ts";

const {
  add,
  argMax,
  attention,
  cast,
  concat,
  equal,
  exp,
  gather,
  greaterOrEqual,
  linear,
  log,
  logSoftmax,
  matmul,
  pad,
  pow,
} = operators;
const { reduceMax, reduceSum, relu, sigmoid, slice, softmax, tanh, topK } = operators;

const [nan, infinity] = [NaN, Infinity];

const floats = (shape: number[], ...values: number[]) => new Tensor("float32", shape, Float32Array.from(values));

/** Operands, what is done with them, and what comes out: numbers, to four digits, in a shape. */
type EdgeCase = [name: string, operands: Tensor[], (...values: Value[]) => Value, shape: number[], numbers: number[]];

const extremes = floats([6], nan, -1000, 1000, infinity, -infinity, 0);
const rows = floats([2, 3], -infinity, -infinity, -infinity, 1, -infinity, 2);
const tied = floats([2, 4], 3, 7, 7, 7, -infinity, 1, 1, -infinity);
const [none, three] = [floats([0, 3]), floats([1, 3], 1, 2, 3)];
const halves = floats([4], 1.00048828125, 3.14159, -2.7, 1e-30);
const through = (dataType: DataType) => (x: Value) => cast(cast(x, { dataType }), { dataType: "float32" });
const [query, keys] = [floats([1, 1, 1, 2], 1, 2), floats([1, 1, 3, 2], 1, 2, 3, 4, 5, 6)];
const mask = floats([1, 1, 1, 3], -infinity, 0, -infinity);

/** What is the same on every device: numbers are at most kept, compared or rounded. */
const cases: EdgeCase[] = [
  ["relu", [extremes], relu, [6], [nan, 0, 1000, infinity, 0, 0]],
  ["cast to bool", [extremes], through("bool"), [6], [1, 1, 1, 1, 1, 0]],
  ["equal", [extremes, extremes], (a, b) => cast(equal(a, b), { dataType: "float32" }), [6], [0, 1, 1, 1, 1, 1]],
  ["pow 11", [floats([3], -1, 0, 2)], (x) => pow(x, { exponent: 11 }), [3], [-1, 0, 2048]],
  ["cast to float16", [halves], through("float16"), [4], [1, 3.141, -2.699, 0]],
  ["cast to bfloat16", [halves], through("bfloat16"), [4], [1, 3.141, -2.703, 9.984e-31]],
  ["reduceMax of -infinity", [rows], (x) => reduceMax(x, { axes: [1] }), [2], [-infinity, 2]],
  ["add of nothing", [none, three], add, [0, 3], []],
  ["linear of nothing", [none, three], (x, weight) => linear(x, weight), [0, 1], []],
  ["softmax of nothing", [none], (x) => softmax(x, { axis: 1 }), [0, 3], []],
  ["concat with nothing", [none, three], (a, b) => concat([a, b], { axis: 0 }), [1, 3], [1, 2, 3]],
  ["a slice of nothing", [three], (x) => slice(x, { starts: [1, 0], sizes: [0, 3] }), [0, 3], []],
  ["a sum of nothing", [none], (x) => reduceSum(x, { axes: [0] }), [3], [0, 0, 0]],
  ["a product over nothing", [floats([2, 0]), none], matmul, [2, 3], [0, 0, 0, 0, 0, 0]],
  [
    "gather of nothing",
    [three, new Tensor("int64", [0], new BigInt64Array(0))],
    (x, ids) => gather(x, ids, { axis: 0 }),
    [0, 3],
    [],
  ],
];

/** What WGSL leaves to the device: infinities and NaN that are computed with. */
const computed: EdgeCase[] = [
  ["tanh", [extremes], tanh, [6], [nan, -1, 1, 1, -1, 0]],
  ["sigmoid", [extremes], sigmoid, [6], [nan, 0, 1, 1, 0, 0.5]],
  ["exp", [extremes], exp, [6], [nan, 0, infinity, infinity, 0, 1]],
  ["log", [extremes], log, [6], [nan, nan, 6.908, infinity, nan, -infinity]],
  ["pow -0.5", [floats([3], 4, 0, 0.25)], (x) => pow(x, { exponent: -0.5 }), [3], [0.5, infinity, 2]],
  ["softmax", [rows], (x) => softmax(x, { axis: 1 }), [2, 3], [nan, nan, nan, 0.2689, 0, 0.7311]],
  ["logSoftmax", [rows], (x) => logSoftmax(x, { axis: 1 }), [2, 3], [nan, nan, nan, -1.313, -infinity, -0.3133]],
  ["argMax", [tied], (x) => argMax(x, { axis: -1 }), [2], [1, 1]],
  ["topK", [tied], (x) => topK(x, { k: 4, axis: -1 })[1], [2, 4], [1, 2, 3, 0, 1, 2, 0, 3]],
  ["a mask of -infinity", [query, keys, mask], (q, k, mask) => attention(q, k, k, { mask }), [1, 1, 1, 2], [3, 4]],
];

/** Numbers of all kinds: each sign and exponent, between half-precision numbers and halfway, NaN and infinities. */
const everything = new Float32Array(
  Uint32Array.from({ length: 6 * 4096 }, (_, i) => {
    const low = [0, 0x1000, 0x3000, 0x8000, 0x18000, Math.imul(i, 0x9e3779b1) & 0xfffff][Math.floor(i / 4096)];
    return i << 20 | low;
  }).buffer,
);

/** The numbers that comparisons tell apart, the least first. */
const ordered = floats([9], -infinity, -2, -1e-40, -0, 0, 1e-40, 3, infinity, nan);

/** Attention of more queries than keys, whose first see none and so see all, with a named T. */
const blind: Sizes = { T: 3 };

function buildBlind(builder: GraphBuilder): Value {
  const [query, key] = [["T", 1], [1, 1]].map(([T, D], i) => builder.input(`x${i}`, "float32", [1, 1, T, D]));
  return attention(query, key, key, { causal: true });
}

/** The first elements of a result that are not what is expected; 0 and -0 are alike. */
function differences(actual: Tensor, expected: (i: number) => number): string[] {
  return Array.from(actual.data, Number).flatMap((value, i) =>
    Object.is(value + 0, expected(i) + 0) ? [] : [`${i}: ${value}, not ${expected(i)}`]
  ).slice(0, 5);
}

/** Run what is done with operands. */
async function compute(backend: Backend, operands: Tensor[], build: EdgeCase[2]): Promise<Tensor> {
  const builder = new GraphBuilder("edge");
  builder.output("y", build(...operands.map((x, i) => builder.input(`x${i}`, x.dataType, x.shape))));
  return (await execute(backend, builder.build(), Object.fromEntries(operands.map((x, i) => [`x${i}`, x])))).y;
}

/** Check what keeps, compares and rounds numbers of all kinds, to the bit. */
async function checkEveryNumber(backend: Backend, t: Deno.TestContext): Promise<void> {
  const x = floats([everything.length], ...everything);
  const asBfloat16 = toFloat32("bfloat16", Uint16Array.from(everything, toBfloat16));
  const expectations: [string, (x: Value) => Value, (i: number) => number][] = [
    ["relu", relu, (i) => everything[i] <= 0 ? 0 : everything[i]],
    ["cast to float16", through("float16"), (i) => Math.f16round(everything[i])],
    ["cast to bfloat16", through("bfloat16"), (i) => asBfloat16[i]],
    ["cast to bool", through("bool"), (i) => everything[i] === 0 ? 0 : 1],
  ];
  for (const [label, build, expected] of expectations) {
    await t.step(`${label} of every kind of number`, async () => {
      assertEquals(differences(await compute(backend, [x], build), expected), []);
    });
  }
  const [rows, columns] = [[9, 1], [1, 9]].map((shape) => floats(shape, ...ordered.data as Float32Array));
  for (const [label, operator] of Object.entries({ equal, greaterOrEqual })) {
    await t.step(`${label} of every kind of number`, async () => {
      const y = await compute(backend, [rows, columns], (a, b) => cast(operator(a, b), { dataType: "float32" }));
      const holds = (a: number, b: number) => operator === equal ? a === b : a >= b;
      const expected = (i: number) =>
        Number(holds(rows.data[Math.floor(i / 9)] as number, columns.data[i % 9] as number));
      assertEquals(differences(y, expected), []);
    });
  }
}

/**
 * Check the ends of what numbers and shapes can be.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param leavesToDevice Whether infinities and NaN that are computed with are what the device makes of them.
 */
export function edgeConformance(
  name: string,
  load: () => Promise<Backend>,
  leavesToDevice: () => Promise<boolean> = () => Promise.resolve(false),
): void {
  Deno.test(`${name} computes with NaN, infinities, ties and nothing as PyTorch`, async (t) => {
    await using backend = await load();
    const isLeft = await leavesToDevice();
    if (isLeft) console.log(`not asked of ${backend.device}: ${computed.map(([label]) => label).join(", ")}`);
    await checkEveryNumber(backend, t);
    for (const [label, operands, build, shape, numbers] of isLeft ? cases : [...cases, ...computed]) {
      await t.step(label, async () => {
        const y = await compute(backend, operands, build);
        assertEquals(y.shape, shape);
        assertEquals([...y.data].map((value) => Number(Number(value).toPrecision(4)) + 0), numbers);
      });
    }
    await t.step("attributes that JSON writes alike", async () => {
      const values = [-infinity, infinity, nan, 0, -0];
      const builder = new GraphBuilder("attributes");
      const x = builder.input("x", "float32", [1]);
      const padded = values.map((value) => pad(x, { beginning: [1], ending: [0], value }));
      builder.output("y", concat(padded, { axis: 0 }));
      const { y } = await execute(backend, builder.build(), { x: floats([1], 7) });
      assert(values.every((value, i) => Object.is(y.data[2 * i], value)), `${y.data}`);
    });
    await t.step("causal attention of more queries than keys", async () => {
      const builder = new GraphBuilder("blind");
      builder.output("y", buildBlind(builder));
      const inputs = { x0: floats([1, 1, 3, 1], 1, 2, 3), x1: floats([1, 1, 1, 1], 5) };
      assertEquals([...(await execute(backend, builder.build(), inputs, blind)).y.data], [5, 5, 5]);
    });
    assertEquals(backend.counters.liveHandles, 0);
  });
}
