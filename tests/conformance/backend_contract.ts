// What every backend promises beyond correct numbers, in terms of src/graph/backend.ts.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LimnerError, ShapeError } from "../../src/errors/mod.ts";
import { type Backend, type DeviceTensor, GraphBuilder } from "../../src/graph/mod.ts";
import {
  add,
  argMax,
  assign,
  cacheAppend,
  gather,
  linear,
  mul,
  relu,
  reshape,
  slice,
} from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { weightFromTensor } from "../../src/weights/mod.ts";
import { assertClose, assertWithin } from "./closeness.ts";
import { execute, memorySource } from "./execute.ts";
import { int64, numbers } from "./repeatable_numbers.ts";
import { evaluate } from "./oracle.ts";
import { trainingProofs } from "./training.ts";

/** A toy decoder: the next token is the largest of table[token] · weight; tokens stay in a state on the device. */
function toyDecoder(vocabulary: number, width: number) {
  const builder = new GraphBuilder("toy decoder");
  const tokens = builder.state("tokens", "int64", ["rows", "capacity"]);
  const current = slice(tokens, { starts: [0, "past"], sizes: ["rows", 1] });
  const x = gather(builder.parameter("table", [vocabulary, width]), current, { axis: 0 });
  const logits = linear(x, builder.parameter("weight", [vocabulary, width]));
  cacheAppend(tokens, argMax(logits, { axis: -1 }), { axis: 1, at: "past+1" });
  return builder.build();
}

function toyTokens(table: Tensor, weight: Tensor, first: number, steps: number): number[] {
  const [vocabulary, width] = table.shape;
  const tokens = [first];
  for (let step = 0; step < steps; step++) {
    const scores = Array.from({ length: vocabulary }, (_, v) => {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        sum += (table.data[tokens[step] * width + i] as number) * (weight.data[v * width + i] as number);
      }
      return sum;
    });
    tokens.push(scores.indexOf(Math.max(...scores)));
  }
  return tokens;
}

type Load = () => Promise<Backend>;

function stepsWithoutWaiting(name: string, load: Load): void {
  Deno.test(`${name} runs 8 steps with one wait, tokens staying in a state on the device`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const parameters = { table: numbers(1, 31, 16), weight: numbers(2, 31, 16) };
    using weights = await backend.open(memorySource(parameters));
    using program = await backend.compile(toyDecoder(31, 16), weights);
    using tokens = backend.allocate("int64", [2, 9]);
    stream.write(tokens, int64(5), 0);
    stream.write(tokens, int64(17), 9);
    using run = program.bind({ tokens }, { rows: 2, capacity: 9, past: 7 });
    const before = { ...backend.counters };
    for (let past = 0; past < 8; past++) stream.enqueue(run, { past });
    const { data } = await stream.read(tokens);
    const { counters } = backend;
    assertEquals(counters.runs - before.runs, 8);
    assertEquals(counters.waits - before.waits, 1);
    assertEquals(counters.bytesRead - before.bytesRead <= 2 * 9 * 8, true);
    const expected = [5, 17].flatMap((first) => toyTokens(parameters.table, parameters.weight, first, 8));
    assertEquals([...data].map(Number), expected);
  });
}

function statesInPlace(name: string, load: Load): void {
  Deno.test(`${name} writes a state in place and keeps it between runs and programs`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const append = new GraphBuilder("append");
    const x = append.input("x", "float32", [2, 3, 1, 4]);
    const cache = append.state("cache", "float32", [2, 3, "capacity", 4]);
    cacheAppend(cache, x, { axis: 2, at: "past" });
    const scale = new GraphBuilder("scale");
    const state = scale.state("cache", "float32", [2, 3, "capacity", 4]);
    assign(state, mul(state, scale.scalar(2)));
    scale.output("before", state);
    using weights = await backend.open(memorySource());
    using first = await backend.compile(append.build(), weights);
    using second = await backend.compile(scale.build(), weights);
    using buffer = backend.allocate("float32", [2, 3, 5, 4]);
    using input = backend.allocate("float32", [2, 3, 1, 4]);
    using before = backend.allocate("float32", [2, 3, 5, 4]);
    using appends = first.bind({ x: input, cache: buffer }, { capacity: 5, past: 4 });
    using scales = second.bind({ cache: buffer, before }, { capacity: 5 });
    const expected = new Float32Array(120);
    for (const past of [0, 3, 4]) {
      const { data } = numbers(past, 2, 3, 1, 4);
      stream.write(input, data);
      stream.enqueue(appends, { past });
      for (let i = 0; i < 24; i++) expected[(Math.floor(i / 4) * 5 + past) * 4 + i % 4] = data[i] as number;
    }
    stream.enqueue(scales);
    // What was read before the assignment is the old value, although the new one has the same buffer.
    assertClose(await stream.read(before), new Tensor("float32", [2, 3, 5, 4], expected), 0, "the old state");
    stream.enqueue(scales);
    const four = new Tensor("float32", [2, 3, 5, 4], expected.map((value) => 4 * value));
    assertClose(await stream.read(buffer), four, 0, "the state");
  });
}

function sharedWeights(name: string, load: Load): void {
  Deno.test(`${name} holds weights once for two programs`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const weight = numbers(3, 512, 512);
    using weights = await backend.open(memorySource({ weight }));
    const build = (label: string, shift: number) => {
      const builder = new GraphBuilder(label);
      const x = builder.input("x", "float32", ["T", 512]);
      builder.output("y", add(linear(x, builder.parameter("weight", [512, 512])), builder.scalar(shift)));
      return builder.build();
    };
    using first = await backend.compile(build("first", 0), weights);
    using x = backend.allocate("float32", [3, 512]);
    using y = backend.allocate("float32", [3, 512]);
    using z = backend.allocate("float32", [3, 512]);
    stream.write(x, numbers(4, 3, 512).data);
    using one = first.bind({ x, y }, { T: 3 });
    stream.enqueue(one);
    await stream.read(y);
    const { weightBytes, deviceBytes } = backend.counters;
    using second = await backend.compile(build("second", 1), weights);
    using two = second.bind({ x, y: z }, { T: 3 });
    stream.enqueue(two);
    const [a, b] = [await stream.read(y), await stream.read(z)];
    assertEquals(weightBytes >= weight.data.byteLength, true);
    assertEquals(backend.counters.weightBytes, weightBytes);
    assertEquals(backend.counters.deviceBytes < deviceBytes + weight.data.byteLength / 4, true);
    const plusOne = new Tensor("float32", a.shape, (a.data as Float32Array).map((value) => value + 1));
    assertClose(b, plusOne, 1e-6, "the second program");
  });
}

function oneCompileEveryLength(name: string, load: Load, ceiling: number): void {
  Deno.test(`${name} runs one compiled program at several lengths`, async () => {
    const builder = new GraphBuilder("lengths");
    const x = builder.input("x", "float32", ["batch", "T", 6]);
    const product = relu(linear(x, builder.parameter("weight", [9, 6])));
    builder.output("y", reshape(product, { shape: ["batch", "T", 3, 3] }));
    const graph = builder.build();
    await using backend = await load();
    const weight = numbers(11, 9, 6);
    for (const [batch, T] of [[1, 1], [2, 7], [3, 40]]) {
      const input = numbers(12, batch, T, 6);
      const { y } = await execute(backend, graph, { x: input }, { batch, T }, { weight });
      const expected = evaluate(graph, { x: input, weight }, { sizes: { batch, T } });
      assertWithin(y, expected.y, ceiling, `batch ${batch}, T ${T}`);
    }
  });
}

function copiesRows(name: string, load: Load): void {
  Deno.test(`${name} copies the used positions of rows of a cache, all as they were before`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const source = numbers(13, 4, 2, 6, 3);
    const kept = numbers(14, 4, 2, 6, 3);
    using cache = backend.allocate("float32", [4, 2, 6, 3]);
    using smaller = backend.allocate("float32", [3, 2, 6, 3]);
    const moves = [
      { rows: [[1, 0], [0, 1], [3, 2]], target: cache }, // rows that overwrite one another
      { rows: [[1, 0], [3, 2]], target: cache },
      { rows: [[2, 1], [1, 0], [3, 3], [2, 2]], target: cache },
      { rows: [[3, 0], [1, 1]], target: smaller },
    ] as const;
    for (const { rows, target } of moves) {
      const before = target === cache ? source : kept;
      stream.write(cache, source.data);
      stream.write(smaller, kept.data.subarray(0, 108));
      stream.copyRows(cache, target, { rows, axis: 2, length: 4 });
      const { data } = await stream.read(target);
      for (let i = 0; i < data.length; i++) {
        const [row, rest] = [Math.floor(i / 36), i % 36];
        const move = Math.floor(rest / 3) % 6 < 4 ? rows.find(([, to]) => to === row) : undefined;
        assertEquals(data[i], move ? source.data[move[0] * 36 + rest] : before.data[i]);
      }
    }
  });
}

function readsUnderWay(name: string, load: Load): void {
  Deno.test(`${name} has several reads of a stream under way, each of its place in the stream's order`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    using other = backend.stream();
    using x = backend.allocate("float32", [2]);
    using y = backend.allocate("float32", [2]);
    const reads: Promise<Tensor>[] = [];
    for (let i = 0; i < 5; i++) {
      stream.write(x, Float32Array.of(i, -i));
      reads.push(stream.read(x));
      other.write(y, Float32Array.of(10 * i, 0));
      reads.push(other.read(y));
    }
    const values = (await Promise.all(reads)).map(({ data }) => [...data]);
    assertEquals(values, [...Array(5).keys()].flatMap((i) => [[i, i === 0 ? -0 : -i], [10 * i, 0]]));
  });
}

function readsIntoMemory(name: string, load: Load): void {
  Deno.test(`${name} reads into memory that is given, and keeps to the shape`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const cases = [
      [Float32Array.of(1, 2, 3, 4), new Float32Array(5).fill(9), [1, 2, 3, 9, 9]],
      [BigInt64Array.of(1n, -2n, 3n, 4n), new BigInt64Array(5).fill(9n), [1n, -2n, 3n, 9n, 9n]],
    ] as const;
    for (const [written, into, expected] of cases) {
      using buffer = backend.allocate(written instanceof Float32Array ? "float32" : "int64", [2, 2]);
      stream.write(buffer, written);
      const { data, shape } = await stream.read(buffer, { shape: [3], into });
      assertEquals([[...into], data.buffer === into.buffer, shape], [[...expected], true, [3]]);
      stream.write(buffer, written.map(() => written[3] as never));
      const apart = await stream.read(buffer, { shape: [3] });
      assertEquals([[...into], apart.data.buffer === into.buffer], [[...expected], false]);
    }
  });
}

function refusesMisuse(name: string, load: Load): void {
  Deno.test(`${name} refuses what does not fit, by name, and stays usable`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const builder = new GraphBuilder("program");
    const x = builder.input("x", "float32", ["T", 4]);
    builder.output("y", linear(x, builder.parameter("layer.weight", [3, 4])));
    const graph = builder.build();
    using empty = await backend.open(memorySource());
    await assertRejects(() => backend.compile(graph, empty), LimnerError, "layer.weight");
    using wrong = await backend.open(memorySource({ "layer.weight": numbers(1, 4, 3) }));
    const error = await assertRejects(() => backend.compile(graph, wrong), ShapeError, "layer.weight");
    assertEquals(error.message.includes("[4, 3]") && error.message.includes("[3, 4]"), true);
    const weight = weightFromTensor(numbers(1, 3, 4));
    using weights = await backend.open(new Map([["layer.weight", weight]]));
    using program = await backend.compile(graph, weights);
    using buffer: DeviceTensor = backend.allocate("float32", [5, 4]);
    using small = backend.allocate("float32", [5, 2]);
    assertThrows(() => program.bind({ x: buffer }, { T: 5 }), ShapeError, '"y"');
    assertThrows(() => program.bind({ x: buffer, y: small }, { T: 5 }), ShapeError, '"y"');
    assertThrows(() => program.bind({ x: buffer, y: buffer }, {}), ShapeError, '"T"');
    using y = backend.allocate("float32", [5, 3]);
    using run = program.bind({ x: buffer, y }, { T: 5 });
    assertThrows(() => stream.enqueue(run, { T: 6 }), ShapeError, "T = 6");
    assertThrows(() => stream.enqueue(run, { T: 4 }), ShapeError, "T = 4");
    stream.enqueue(run);
    assertEquals((await stream.read(y)).shape, [5, 3]);
    assertEquals((await stream.read(y, { shape: [2, 3] })).shape, [2, 3]);
  });
}

function refusesToReachOutside(name: string, load: Load): void {
  Deno.test(`${name} refuses sizes that reach outside of a tensor, and stays usable`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    using weights = await backend.open(memorySource({ table: numbers(1, 31, 16), weight: numbers(2, 31, 16) }));
    using program = await backend.compile(toyDecoder(31, 16), weights);
    using tokens = backend.allocate("int64", [1, 9]);
    using run = program.bind({ tokens }, { rows: 1, capacity: 9, past: 9 });
    for (const past of [8, 9]) {
      assertThrows(
        () => stream.enqueue(run, { past }),
        ShapeError,
        `Cannot run toy decoder with capacity = 9, past = ${past}`,
      );
    }
    stream.enqueue(run, { past: 7 });
    assertEquals((await stream.read(tokens)).shape, [1, 9]);
  });
}

function releasesEverything(name: string, load: Load): void {
  Deno.test(`${name} releases every handle, and disposing twice is harmless`, async () => {
    const backend = await load();
    assertEquals(backend.counters.liveHandles, 0);
    const weights = await backend.open(memorySource({ table: numbers(1, 31, 16), weight: numbers(2, 31, 16) }));
    const program = await backend.compile(toyDecoder(31, 16), weights);
    const tokens = backend.allocate("int64", [2, 9]);
    const run = program.bind({ tokens }, { rows: 2, capacity: 9, past: 7 });
    const stream = backend.stream();
    assertEquals(backend.counters.liveHandles > 0, true);
    stream.enqueue(run, { past: 0 });
    await stream.read(tokens);
    for (let i = 0; i < 2; i++) for (const object of [run, program, tokens, weights, stream]) object[Symbol.dispose]();
    assertEquals(backend.counters.liveHandles, 0);
    assertEquals(backend.counters.weightBytes, 0);
    await backend[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });
}

/**
 * Check what a backend promises at the seam.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param ceiling What no bound of computed numbers exceeds, relative to the largest; see `assertWithin`.
 */
export function seamProofs(name: string, load: Load, ceiling: number): void {
  stepsWithoutWaiting(name, load);
  statesInPlace(name, load);
  sharedWeights(name, load);
  trainingProofs(name, load, ceiling);
  oneCompileEveryLength(name, load, ceiling);
  copiesRows(name, load);
  readsUnderWay(name, load);
  readsIntoMemory(name, load);
  refusesMisuse(name, load);
  refusesToReachOutside(name, load);
  releasesEverything(name, load);
}
