// What every backend promises of states that a run assigns: an operator that reads one gets its old value, whether the new
// one is computed in place or not.
import { type Backend, type Graph, GraphBuilder, type Value } from "../../src/graph/mod.ts";
import {
  add,
  assign,
  concat,
  div,
  matmul,
  mul,
  pow,
  reduceSum,
  reshape,
  slice,
  sqrt,
  sub,
  transpose,
} from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import type { Bounded } from "./bounds.ts";
import { assertWithin } from "./closeness.ts";
import { memorySource } from "./execute.ts";
import { evaluate } from "./oracle.ts";

type Load = () => Promise<Backend>;

/** A matrix, in float64. */
type Matrix = number[][];

/** Repeatable numbers in [-1, 1) that float32 has. */
function matrix(seed: number, rows: number, columns: number): Matrix {
  const number = (i: number, j: number) => Math.fround(((seed * 31 + i * 7 + j * 13) * 0.618034 % 2) - 1);
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => number(i, j)));
}

const tensorOf = (values: Matrix) =>
  new Tensor("float32", [values.length, values[0].length], Float32Array.from(values.flat()));
/** What a device is to find: the exact numbers, and how far from them the oracle lets it be. */
const expectation = (values: Matrix, { error }: Bounded): Bounded => (
  { value: new Tensor("float64", error.shape, Float64Array.from(values.flat())), error }
);
const each = (compute: (...values: number[]) => number, ...matrices: Matrix[]): Matrix =>
  matrices[0].map((row, i) => row.map((_, j) => compute(...matrices.map((values) => values[i][j]))));
const turned = (values: Matrix): Matrix => values[0].map((_, j) => values.map((row) => row[j]));
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));

const turn = (value: Value) => transpose(value, { permutation: [1, 0] });

const adam = { rate: 0.05, decay: 0.1, first: 0.9, second: 0.99, epsilon: 1e-3 };

/** A step of AdamW whose gradient is xᵀ·((x·p − y)·(pᵀ·p)): the parameter is read by products, turned and not. */
function adamStep(rows: number, inputs: number, outputs: number): Graph {
  const builder = new GraphBuilder("adam");
  const number = (value: number) => builder.scalar(value);
  const { rate, decay, first, second, epsilon } = adam;
  const p = builder.parameter("p", [inputs, outputs]);
  const [m, v] = ["m", "v"].map((name) => builder.state(name, "float32", [inputs, outputs]));
  const x = builder.input("x", "float32", [rows, inputs]);
  const y = builder.input("y", "float32", [rows, outputs]);
  // What is left of the zeros that the moments began with.
  const [left, leftOfSquares] = ["left", "leftOfSquares"].map((name) => builder.input(name, "float32", []));
  const gradient = matmul(turn(x), matmul(sub(matmul(x, p), y), matmul(turn(p), p)));
  const moment = add(mul(m, number(first)), mul(gradient, number(1 - first)));
  const squares = add(mul(v, number(second)), mul(mul(gradient, gradient), number(1 - second)));
  const step = div(div(moment, left), add(sqrt(div(squares, leftOfSquares)), number(epsilon)));
  assign(m, moment);
  assign(v, squares);
  assign(p, sub(mul(p, number(1 - rate * decay)), mul(step, number(rate))));
  return builder.build();
}

function optimises(name: string, load: Load, ceiling: number): void {
  Deno.test(`${name} takes steps of AdamW, a parameter and its moments as states`, async () => {
    const { rate, decay, first, second, epsilon } = adam;
    const [x, y] = [matrix(1, 4, 5), matrix(2, 4, 3)];
    let [p, m, v] = [matrix(3, 5, 3), matrix(4, 5, 3), matrix(5, 5, 3).map((row) => row.map(Math.abs))];
    await using backend = await load();
    using stream = backend.stream();
    using weights = await backend.open(memorySource({ p: tensorOf(p) }), { trainable: () => true });
    const graph = adamStep(4, 5, 3);
    using program = await backend.compile(graph, weights);
    using stack = new DisposableStack();
    const tensors = Object.fromEntries(
      Object.entries({ x: [4, 5], y: [4, 3], m: [5, 3], v: [5, 3], left: [], leftOfSquares: [] })
        .map(([key, shape]) => [key, stack.use(backend.allocate("float32", shape))]),
    );
    const given = { x, y, m, v };
    for (const [key, values] of Object.entries(given)) stream.write(tensors[key], tensorOf(values).data);
    using run = program.bind(tensors);
    const inputs = { x: tensorOf(x), y: tensorOf(y) };
    let bounds: Record<string, Tensor | Bounded> = { p: tensorOf(p), m: tensorOf(m), v: tensorOf(v) };
    for (let step = 1; step <= 4; step++) {
      const [left, leftOfSquares] = [first, second].map((beta) => Math.fround(1 - beta ** step));
      const scalar = (x: number) => new Tensor("float32", [], Float32Array.of(x));
      bounds = evaluate(graph, { ...inputs, ...bounds, left: scalar(left), leftOfSquares: scalar(leftOfSquares) });
      stream.write(tensors.left, Float32Array.of(left));
      stream.write(tensors.leftOfSquares, Float32Array.of(leftOfSquares));
      stream.enqueue(run);
      const errors = each((a, b) => a - b, product(x, p), y);
      const gradient = product(turned(x), product(errors, product(turned(p), p)));
      m = each((m, g) => first * m + (1 - first) * g, m, gradient);
      v = each((v, g) => second * v + (1 - second) * g * g, v, gradient);
      p = each(
        (p, m, v) => p * (1 - rate * decay) - rate * m / left / (Math.sqrt(v / leftOfSquares) + epsilon),
        p,
        m,
        v,
      );
    }
    const check = (key: string, actual: Tensor, values: Matrix) =>
      assertWithin(actual, expectation(values, bounds[key] as Bounded), ceiling, key);
    check("m", await stream.read(tensors.m), m);
    check("v", await stream.read(tensors.v), v);
    check("p", await weights.read("p"), p);
  });
}

/** An update of two states [3, 3], and what it makes of them. */
interface Update {
  readonly name: string;
  /** @returns What the program gives besides. */
  readonly build: (a: Value, b: Value, one: Value) => Value;
  readonly compute: (a: Matrix, b: Matrix) => { a: Matrix; b: Matrix; result: Matrix };
}

const plusOne = (values: Matrix) => each((value) => value + 1, values);
const twice = (values: Matrix) => each((value) => 2 * value, values);

const updates: readonly Update[] = [
  {
    name: "two states that change places",
    build: (a, b) => (assign(a, b), assign(b, a), a),
    compute: (a, b) => ({ a: b, b: a, result: a }),
  },
  {
    name: "two states of which each is computed from the other",
    build: (a, b, one) => (assign(a, add(b, one)), assign(b, add(a, one)), one),
    compute: (a, b) => ({ a: plusOne(b), b: plusOne(a), result: [[1]] }),
  },
  {
    name: "a state that is computed from another's new value",
    build: (a, b, one) => {
      const next = add(a, one);
      assign(a, next);
      return assign(b, mul(b, turn(next)));
    },
    compute: (a, b) => {
      const next = each((x, y) => x * y, b, turned(plusOne(a)));
      return { a: plusOne(a), b: next, result: next };
    },
  },
  {
    name: "an old value that is a result",
    build: (a, _b, one) => (assign(a, add(a, one)), reshape(a, { shape: [9] })),
    compute: (a, b) => ({ a: plusOne(a), b, result: [a.flat()] }),
  },
  {
    name: "an old value that is added to itself, turned",
    build: (a, _b, one) => (assign(a, add(a, mul(turn(a), one))), one),
    compute: (a, b) => ({ a: each((x, y) => x + y, a, turned(a)), b, result: [[1]] }),
  },
  {
    name: "an old value that is added to its own square",
    build: (a, _b, one) => (assign(a, add(a, matmul(a, a))), one),
    compute: (a, b) => ({ a: each((x, y) => x + y, a, product(a, a)), b, result: [[1]] }),
  },
  {
    name: "an old value that is added to its own rows, moved on",
    build: (a, _b, one) => {
      const [top, rest] = [[0, 1], [1, 2]].map(([start, size]) => slice(a, { starts: [start, 0], sizes: [size, 3] }));
      assign(a, sub(a, concat([rest, top], { axis: 0 })));
      return one;
    },
    compute: (a, b) => ({ a: each((x, y) => x - y, a, [a[1], a[2], a[0]]), b, result: [[1]] }),
  },
  {
    name: "an old value that is read by what the new one does not need",
    build: (a, b, one) => (assign(a, add(a, one)), reduceSum(mul(a, b), { axes: [1] })),
    compute: (a, b) => {
      return { a: plusOne(a), b, result: [each((x, y) => x * y, a, b).map((row) => row.reduce((x, y) => x + y))] };
    },
  },
  {
    name: "one value for two states and a result",
    build: (a, b) => {
      const both = add(a, a);
      assign(b, both);
      return assign(a, both);
    },
    compute: (a) => ({ a: twice(a), b: twice(a), result: twice(a) }),
  },
  {
    name: "a new value that is read, turned and squared",
    build: (a, _b, one) => matmul(turn(assign(a, sub(mul(a, a), one))), pow(a, { exponent: 2 })),
    compute: (a, b) => {
      const next = each((x) => x * x - 1, a);
      return { a: next, b, result: product(turned(next), each((x) => x * x, a)) };
    },
  },
];

function assignsStates(name: string, load: Load, ceiling: number): void {
  for (const update of updates) {
    Deno.test(`${name} assigns ${update.name}`, async () => {
      const builder = new GraphBuilder("update");
      const states = ["a", "b"].map((key) => builder.state(key, "float32", [3, 3]));
      const made = update.build(states[0], states[1], builder.scalar(1));
      builder.output("result", made);
      await using backend = await load();
      using stream = backend.stream();
      using weights = await backend.open(memorySource());
      const graph = builder.build();
      using program = await backend.compile(graph, weights);
      using a = backend.allocate("float32", [3, 3]);
      using b = backend.allocate("float32", [3, 3]);
      using result = backend.allocate("float32", made.shape as number[]);
      using run = program.bind({ a, b, result });
      let expected = { a: matrix(6, 3, 3), b: matrix(7, 3, 3), result: [[0]] };
      stream.write(a, tensorOf(expected.a).data);
      stream.write(b, tensorOf(expected.b).data);
      let bounds: Record<string, Tensor | Bounded> = { a: tensorOf(expected.a), b: tensorOf(expected.b) };
      for (let step = 0; step < 2; step++) {
        stream.enqueue(run);
        expected = update.compute(expected.a, expected.b);
        bounds = evaluate(graph, bounds);
        for (const [key, tensor] of Object.entries({ a, b, result })) {
          const values = expected[key as "a" | "b" | "result"];
          assertWithin(await stream.read(tensor), expectation(values, bounds[key] as Bounded), ceiling, key);
        }
      }
    });
  }
}

/**
 * Check what a backend promises of states.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param ceiling What no bound of computed numbers exceeds, relative to the largest; see `assertWithin`.
 */
export function stateProofs(name: string, load: Load, ceiling: number): void {
  optimises(name, load, ceiling);
  assignsStates(name, load, ceiling);
}
