// What every backend promises of rows whose positions and lengths are their own: each is as it is by itself, where one
// size says its position and its length.
import { assertRejects } from "@std/assert";
import { type Backend, type Graph, GraphBuilder, type Sizes, type Value } from "../../src/graph/mod.ts";
import {
  attention,
  type AttentionOptions,
  attentionProbabilities,
  cacheAppend,
  lengthsAfter,
  takeRowPositions,
} from "../../src/operators/mod.ts";
import { type DataType, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import type { Bounded } from "./bounds.ts";
import { assertWithin } from "./closeness.ts";
import { execute, memorySource } from "./execute.ts";
import { evaluate } from "./oracle.ts";
import { numbers } from "./repeatable_numbers.ts";

type Load = () => Promise<Backend>;
type Indices = "int64" | "int32";

/** Whole numbers, one a row. */
function ofRows(dataType: Indices, values: readonly number[]): Tensor {
  const data = dataType === "int64" ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
  return new Tensor(dataType, [values.length], data);
}

/** Row r of a tensor, [1, …]. */
function rowOf({ dataType, shape, data }: Tensor, r: number): Tensor {
  const size = sizeOf(shape.slice(1));
  return new Tensor(dataType, [1, ...shape.slice(1)], data.slice(r * size, (r + 1) * size) as TypedArray);
}

/** Check each row of a result against what the oracle makes of that row alone. */
function assertRows(actual: Tensor, alone: readonly Bounded[], ceiling: number, what: string): void {
  alone.forEach((expected, r) => assertWithin(rowOf(actual, r), expected, ceiling, `${what}, row ${r}`));
}

/** A state to which rows are appended at one position, or each at its own. */
function appending(dataType: DataType, shape: (string | number)[], axis: number, own?: Indices): Graph {
  const builder = new GraphBuilder("append rows");
  const state = builder.state("state", dataType, shape);
  const x = builder.input("x", dataType, shape.with(axis, "T"));
  const at = own ? builder.input("at", own, ["rows"]) : "past";
  const next = cacheAppend(state, x, { axis, at });
  // What was appended is found again there.
  if (own) builder.output("found", takeRowPositions(next, { axis, at: at as Value, size: "T" }));
  return builder.build();
}

function typed(dataType: DataType, x: Tensor): Tensor {
  if (dataType === "float32") return x;
  return new Tensor(dataType, x.shape, BigInt64Array.from(x.data as Float32Array, (v) => BigInt(Math.trunc(v * 1e5))));
}

function appendsRows(name: string, load: Load): void {
  const cases = [
    ["float32", ["rows", 3, 9, 4], 2, "int64", [0, 7, 3, 5], 2],
    ["float32", ["rows", 9, 5], 1, "int32", [8, 0, 4, 2], 1],
    ["float32", ["rows", 2, 3, 11], 3, "int32", [1, 0, 8, 3], 3],
    ["int64", ["rows", 70], 1, "int64", [69, 0, 33, 1], 1],
    ["float32", ["rows", 3, 9, 4], 2, "int64", [4, 4, 4, 4], 5],
  ] as const;
  for (const [dataType, shape, axis, own, at, T] of cases) {
    Deno.test(`${name} appends ${T} to rows [${shape}] of ${dataType} at ${own} [${at}]`, async () => {
      await using backend = await load();
      const rows = at.length;
      const whole = [rows, ...shape.slice(1) as number[]];
      const state = typed(dataType, numbers(1, ...whole));
      const x = typed(dataType, numbers(2, ...whole.with(axis, T)));
      const graph = appending(dataType, [...shape], axis, own);
      const found = await execute(backend, graph, { state, x, at: ofRows(own, at) }, { rows, T });
      const alone = at.map((past, r) => {
        const given = { state: rowOf(state, r), x: rowOf(x, r) };
        return evaluate(appending(dataType, [...shape], axis), given, { sizes: { rows: 1, T, past } }).state;
      });
      assertRows(found.state, alone, 0, "the state");
      assertRows(found.found, at.map((_, r) => evaluate(identity(rowOf(x, r)), {}).y), 0, "what was appended");
    });
  }
}

/** A graph whose output is a constant. */
function identity(x: Tensor): Graph {
  const builder = new GraphBuilder("constant");
  builder.output("y", builder.constant(x));
  return builder.build();
}

function refusesPositions(name: string, load: Load): void {
  Deno.test(`${name} writes nothing outside of a row, whose position is wrong`, async () => {
    await using backend = await load();
    const graph = appending("float32", ["rows", 4, 3], 1, "int64");
    using weights = await backend.open(memorySource());
    using program = await backend.compile(graph, weights);
    using stream = backend.stream();
    for (const at of [[4, 0], [0, -1]]) {
      using stack = new DisposableStack();
      const allocate = (shape: number[], dataType: DataType = "float32") =>
        stack.use(backend.allocate(dataType, shape));
      const tensors = { state: allocate([2, 4, 3]), x: allocate([2, 1, 3]), at: allocate([2], "int64") };
      using run = program.bind({ ...tensors, found: allocate([2, 1, 3]) }, { rows: 2, T: 1 });
      stream.write(tensors.x, Float32Array.of(1, 2, 3, 4, 5, 6));
      stream.write(tensors.at, BigInt64Array.from(at, BigInt));
      stream.enqueue(run);
      // A GPU has no way to fail.
      if (!name.startsWith("webgpu")) {
        await assertRejects(() => stream.read(tensors.state));
        continue;
      }
      const { data } = await stream.read(tensors.state);
      const good = at.findIndex((position) => position === 0);
      const expected = new Float32Array(24);
      expected.set([3 * good + 1, 3 * good + 2, 3 * good + 3], 12 * good);
      if (data.join() !== expected.join()) throw new Error(`the state is ${data}`);
    }
  });
}

interface Case {
  readonly width: number;
  readonly lengths: readonly number[];
  readonly T: number;
  readonly beams?: number;
  readonly S?: number;
  readonly causal?: boolean;
  readonly mask?: "rows" | "batch";
  /** The attribute `length`. @default all S */
  readonly most?: number;
}

const H = 3;

/** Attention of rows with lengths of their own, or of one row with one length. */
function attending({ width, T, S = 13, causal, mask, most, beams = 1 }: Case, own?: Indices): Graph {
  const builder = new GraphBuilder("lengths of rows");
  const [rows, batch] = own ? ["batch*beams", "batch"] : [1, 1];
  const query = builder.input("query", "float32", [rows, H, T, width]);
  const [key, value] = ["key", "value"].map((name) => builder.input(name, "float32", [batch, H, S, width]));
  const options: AttentionOptions = {
    causal,
    mask: mask && builder.input("mask", "float32", [own && mask === "rows" && beams > 1 ? rows : batch, 1, T, S]),
    ...(own ? { lengths: builder.input("lengths", own, [rows]), length: most } : { length: "length" }),
  };
  builder.output("y", attention(query, key, value, options));
  builder.output("weights", attentionProbabilities(query, key, options));
  return builder.build();
}

function attendsRows(name: string, load: Load, ceiling: number): void {
  const cases: Case[] = [7, 64].flatMap((width) => [
    { width, lengths: [1, 13, 5, 8], T: 1, causal: true },
    { width, lengths: [1, 13, 5, 8], T: 1 },
    { width, lengths: [3, 13, 5, 8], T: 3, causal: true, most: 13 },
    { width, lengths: [3, 9, 5, 8], T: 2, causal: true, beams: 2, mask: "rows" },
    { width, lengths: [1, 10, 5, 8, 2, 3], T: 6, beams: 3, mask: "batch", most: 10 },
    { width, lengths: [30, 197, 40, 70], T: 30, causal: true, S: 197 },
  ]);
  for (const [i, each] of cases.entries()) {
    const { width, lengths, T, beams = 1, S = 13, mask } = each;
    Deno.test(`${name} attends with lengths of rows: ${JSON.stringify(each)}`, async () => {
      await using backend = await load();
      const [rows, batch] = [lengths.length, lengths.length / beams];
      const own = i % 2 ? "int32" : "int64";
      const query = numbers(1, rows, H, T, width);
      const [key, value] = [2, 3].map((seed) => numbers(seed, batch, H, S, width));
      const given: Record<string, Tensor> = { query, key, value, lengths: ofRows(own, lengths) };
      if (mask) given.mask = numbers(4, mask === "rows" ? rows : batch, 1, T, S);
      const found = await execute(backend, attending(each, own), given, { batch, beams });
      const alone = lengths.map((length, r) => {
        const picture = Math.floor(r / beams);
        const own: Record<string, Tensor> = { query: rowOf(query, r) };
        [own.key, own.value] = [key, value].map((x) => rowOf(x, picture));
        if (mask) own.mask = rowOf(given.mask, mask === "rows" ? r : picture);
        const { y, weights } = evaluate(attending(each), own, { sizes: { length } });
        return { y, weights: weights && padded(weights, each.most ?? S) };
      });
      assertRows(found.y, alone.map(({ y }) => y), ceiling, "y");
      assertRows(found.weights, alone.map(({ weights }) => weights), ceiling, "the weights");
    });
  }
}

/** Weights [1, H, T, length] with zeros for the keys that are not used. */
function padded({ value, error }: Bounded, S: number): Bounded {
  const pad = ({ shape, data }: Tensor): Tensor => {
    const [, , T, length] = shape;
    const all = new Float64Array(H * T * S);
    for (let line = 0; line < H * T; line++) {
      all.set(data.subarray(line * length, (line + 1) * length) as never, line * S);
    }
    return new Tensor("float64", [1, H, T, S], all);
  };
  return { value: pad(value), error: pad(error) };
}

/** Attention over caches that rows extend at their own positions, or one row at one. */
function cachedAttention(width: number, own: boolean): Graph {
  const builder = new GraphBuilder(`cached rows ${width}`);
  const [query, ...fresh] = ["query", "key", "value"].map((name) =>
    builder.input(name, "float32", ["rows", H, "T", width])
  );
  const at = own ? builder.input("past", "int64", ["rows"]) : "past";
  const [keys, values] = ["keys", "values"].map((name, i) =>
    cacheAppend(builder.state(name, "float32", ["rows", H, "capacity", width]), fresh[i], { axis: 2, at })
  );
  const options = typeof at === "string" ? {} : { lengths: lengthsAfter(at, "T") };
  builder.output("y", attention(query, keys, values, { causal: true, length: own ? "length" : "past+T", ...options }));
  return builder.build();
}

function attendsOverCaches(name: string, load: Load, ceiling: number): void {
  for (const width of [64, 7]) {
    Deno.test(`${name} attends over caches whose rows have positions of their own, heads of ${width}`, async () => {
      await using backend = await load();
      const rows = 3;
      const sizes: Sizes = { rows, capacity: 9 };
      let caches = Object.fromEntries(["keys", "values"].map((key, i) => [key, numbers(i + 1, rows, H, 9, width)]));
      for (
        const [past, T] of [[[0, 4, 7], 1], [[0, 5, 8], 1], [[0, 0, 0], 4], [[4, 1, 2], 3], [[8, 8, 8], 1]] as const
      ) {
        const fresh = Object.fromEntries(
          ["query", "key", "value"].map((key, i) => [key, numbers(10 * past[1] + i, rows, H, T, width)]),
        );
        const length = Math.max(...past) + T;
        const given = { ...fresh, ...caches, past: ofRows("int64", past) };
        const found = await execute(backend, cachedAttention(width, true), given, { ...sizes, T, length });
        const alone = past.map((position, r) => {
          const own = Object.fromEntries(Object.entries({ ...fresh, ...caches }).map(([key, x]) => [key, rowOf(x, r)]));
          const sizes = { rows: 1, capacity: 9, T, past: position };
          return evaluate(cachedAttention(width, false), own, { sizes });
        });
        assertRows(found.y, alone.map(({ y }) => y), ceiling, `y at ${past}`);
        for (const key of ["keys", "values"]) {
          assertRows(found[key], alone.map((each) => each[key]), 0, `${key} at ${past}`);
        }
        caches = { keys: found.keys, values: found.values };
      }
    });
  }
}

/** Check rows whose positions and lengths are their own. */
export function rowLengthProofs(name: string, load: Load, ceiling: number): void {
  appendsRows(name, load);
  refusesPositions(name, load);
  attendsRows(name, load, ceiling);
  attendsOverCaches(name, load, ceiling);
}
