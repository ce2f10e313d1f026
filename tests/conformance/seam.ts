// The seam proofs: what every backend promises beyond right numbers. See backend.ts.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/mod.ts";
import { FormatError, LimnerError, ShapeError } from "../../src/errors.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import { type Backend, type DeviceTensor, GraphBuilder } from "../../src/graph/mod.ts";
import {
  add,
  argMax,
  assign,
  cacheAppend,
  gather,
  linear,
  mul,
  reduceMean,
  relu,
  reshape,
  slice,
  sub,
} from "../../src/operators/mod.ts";
import { openRepository } from "../../src/hub/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { type StoredWeights, weightOf } from "../../src/weights/mod.ts";
import { assertClose } from "./closeness.ts";
import { execute, memorySource } from "./execute.ts";

/** Repeatable numbers in [-1, 1). */
function numbers(seed: number, ...shape: number[]): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = ((Math.imul(i + seed * 977 + 1, 2654435761) >>> 8) / (1 << 23)) - 1;
  return new Tensor("float32", shape, data);
}

const int64 = (...values: number[]) => BigInt64Array.from(values, BigInt);

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

function trainsParameters(name: string, load: Load, tolerance: number): void {
  Deno.test(`${name} takes steps of gradient descent with parameters as states`, async () => {
    const shapes = { w1: [8, 5], b1: [8], w2: [3, 8] };
    const builder = new GraphBuilder("two layers");
    const x = builder.input("x", "float32", [4, 5]);
    const target = builder.input("target", "float32", [4, 3]);
    const parameters = Object.entries(shapes).map(([key, shape]) => builder.parameter(key, shape));
    const [w1, b1, w2] = parameters;
    const error = sub(linear(linear(x, w1, { bias: b1, activation: "tanh" }), w2), target);
    builder.output("loss", reduceMean(mul(error, error), { axes: [0, 1] }));
    const rate = 0.25;
    const step = differentiate(builder.build(), "loss", parameters, (extended, moved, gradients) => {
      moved.forEach((parameter, i) => {
        assign(parameter, sub(parameter, mul(gradients[i]!, extended.scalar(rate))));
      });
    });
    const start = { w1: numbers(5, 8, 5), b1: numbers(6, 8), w2: numbers(7, 3, 8) };
    const inputs = { x: numbers(8, 4, 5), target: numbers(9, 4, 3) };
    await using backend = await load();
    using stream = backend.stream();
    using weights = await backend.open(memorySource(start), { trainable: () => true });
    using program = await backend.compile(step, weights);
    using xs = backend.allocate("float32", [4, 5]);
    using targets = backend.allocate("float32", [4, 3]);
    using loss = backend.allocate("float32", []);
    stream.write(xs, inputs.x.data);
    stream.write(targets, inputs.target.data);
    using run = program.bind({ x: xs, target: targets, loss });
    const losses: number[] = [];
    for (let i = 0; i < 2; i++) {
      stream.enqueue(run);
      losses.push((await stream.read(loss)).data[0] as number);
    }
    const expected = descend(start, inputs, rate, 2);
    losses.forEach((value, i) => {
      if (!(Math.abs(value - expected.losses[i]) <= tolerance * expected.losses[i])) {
        throw new Error(`loss ${i} is ${value}, expected ${expected.losses[i]}`);
      }
    });
    for (const key of Object.keys(shapes) as (keyof typeof shapes)[]) {
      assertClose(await weights.read(key), expected.parameters[key], tolerance, key);
    }
    const reset = numbers(10, 3, 8);
    await weights.write("w2", reset);
    assertClose(await weights.read("w2"), reset, 0, "a parameter written from the host");
  });
}

/** A model of two layers in a file, so that a backend may pack what it reads there. */
async function storedLayers(folder: string, tensors: Readonly<Record<string, Tensor>>): Promise<StoredWeights> {
  const path = `${folder}/model.safetensors`;
  await writeSafetensors(path, new Map(Object.entries(tensors)));
  return (await openCheckpoint(await openRepository(folder))).parameters;
}

function trainsOpenWeights(name: string, load: Load, tolerance: number): void {
  Deno.test(`${name} trains weights that are open: what is packed of them follows, and is held once`, async () => {
    const [K, H, N] = [37, 96, 70];
    const start = { w1: numbers(20, H, K), w2: numbers(21, N, H), table: numbers(22, 33, K) };
    const folder = await Deno.makeTempDir();
    try {
      await using backend = await load();
      using stack = new DisposableStack();
      const weights = stack.use(await backend.open(await storedLayers(folder, start)));
      const stream = stack.use(backend.stream());
      // The frozen table, then two products whose weights are trained.
      const forward = (builder: GraphBuilder) => {
        const [w1, w2] = [builder.parameter("w1", [H, K]), builder.parameter("w2", [N, H])];
        const x = gather(builder.parameter("table", [33, K]), builder.input("ids", "int64", [4]), { axis: 0 });
        return { y: linear(linear(x, w1, { activation: "tanh" }), w2), parameters: [w1, w2] };
      };
      const reading = new GraphBuilder("reading");
      reading.output("y", forward(reading).y);
      const reader = stack.use(await backend.compile(reading.build(), weights));
      const buffers = {
        ids: stack.use(backend.allocate("int64", [4])),
        y: stack.use(backend.allocate("float32", [4, N])),
      };
      stream.write(buffers.ids, int64(3, 32, 0, 7));
      const read = stack.use(reader.bind(buffers));
      const generate = async () => {
        stream.enqueue(read);
        return await stream.read(buffers.y);
      };
      const before = await generate();
      const packed = backend.counters.weightBytes;

      const training = new GraphBuilder("training");
      const { y, parameters } = forward(training);
      training.output("loss", reduceMean(mul(y, y), { axes: [0, 1] }));
      const step = differentiate(
        training.build(),
        "loss",
        parameters,
        (extended, moved, gradients) =>
          moved.forEach((parameter, i) => assign(parameter, sub(parameter, mul(gradients[i]!, extended.scalar(0.5))))),
      );
      await assertRejects(() => backend.compile(step, weights), LimnerError, '"w1", which is not trained');
      await assertRejects(() => weights.train(["w3"]), ShapeError, "w3");
      await weights.train(["w1", "w2"]);
      const trainer = stack.use(await backend.compile(step, weights));
      const loss = stack.use(backend.allocate("float32", []));
      const train = stack.use(trainer.bind({ ids: buffers.ids, loss }));
      // The same by a program that reads the values of then.
      const expected = async () => {
        const values = Object.fromEntries(
          await Promise.all(Object.keys(start).map(async (key) => [key, await weights.read(key)] as const)),
        );
        const builder = new GraphBuilder("expected");
        builder.output("y", forward(builder).y);
        const ids = new Tensor("int64", [4], int64(3, 32, 0, 7));
        return (await execute(backend, builder.build(), { ids }, {}, values)).y;
      };
      assertClose(await generate(), before, tolerance, "before the first step");
      const losses: number[] = [];
      for (let i = 0; i < 3; i++) {
        stream.enqueue(train);
        losses.push(Number((await stream.read(loss)).data[0]));
        // A step gives up the copies of what it trains; buffers are rounded up to 16 bytes.
        const atMost = (bytes: number) =>
          assertEquals(Math.max(bytes + 128, backend.counters.weightBytes), bytes + 128);
        atMost(packed);
        if (i === 1) continue; // two steps without reading between them
        const { data } = await generate();
        assertClose(new Tensor("float32", [4, N], data), await expected(), tolerance, `after step ${i}`);
        assertEquals(data.join() === before.data.join(), false);
        // Packed for the reader, and as they are trained: no more than their gradients take.
        atMost(packed + start.w1.data.byteLength + start.w2.data.byteLength);
      }
      assertEquals(losses[2] < losses[0], true);
      const reset = numbers(23, H, K);
      await weights.write("w1", reset);
      assertClose(await generate(), await expected(), tolerance, "after a write");
      assertClose(await weights.read("w1"), reset, 0, "what was written");
      // A reader compiled after the training, beside the first.
      const later = new GraphBuilder("later");
      later.output("y", add(forward(later).y, later.scalar(1)));
      const second = stack.use(await backend.compile(later.build(), weights));
      stream.enqueue(train);
      stream.enqueue(stack.use(second.bind(buffers)));
      const shifted = (await stream.read(buffers.y)).data as Float32Array;
      const plain = await expected();
      assertClose(
        new Tensor("float32", [4, N], shifted.map((value) => value - 1)),
        plain,
        10 * tolerance,
        "the later one",
      );
      assertClose(await generate(), plain, tolerance, "the first after it");
      stack.dispose();
      assertEquals([backend.counters.weightBytes, backend.counters.liveHandles], [0, 0]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

type TwoLayers = Record<"w1" | "b1" | "w2", Tensor>;

/** The same steps by hand, in float64. */
function descend(start: TwoLayers, { x, target }: Record<"x" | "target", Tensor>, rate: number, steps: number) {
  const [w1, b1, w2] = [start.w1, start.b1, start.w2].map(({ data }) => Array.from(data as Float32Array));
  const [xs, ts] = [x.data as Float32Array, target.data as Float32Array];
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const [g1, gb, g2] = [w1, b1, w2].map((values) => values.map(() => 0));
    let loss = 0;
    for (let n = 0; n < 4; n++) {
      const hidden = b1.map((bias, h) =>
        Math.tanh(bias + w1.slice(h * 5, h * 5 + 5).reduce((s, w, i) => s + w * xs[n * 5 + i], 0))
      );
      const back = hidden.map(() => 0);
      for (let o = 0; o < 3; o++) {
        const difference = hidden.reduce((s, value, h) => s + value * w2[o * 8 + h], 0) - ts[n * 3 + o];
        loss += difference ** 2 / 12;
        for (let h = 0; h < 8; h++) {
          g2[o * 8 + h] += difference / 6 * hidden[h];
          back[h] += difference / 6 * w2[o * 8 + h];
        }
      }
      hidden.forEach((value, h) => {
        const g = back[h] * (1 - value ** 2);
        gb[h] += g;
        for (let i = 0; i < 5; i++) g1[h * 5 + i] += g * xs[n * 5 + i];
      });
    }
    losses.push(loss);
    [[w1, g1], [b1, gb], [w2, g2]].forEach(([values, gradient]) =>
      values.forEach((_, i) => values[i] -= rate * gradient[i])
    );
  }
  const tensor = (values: number[], { shape }: Tensor) => new Tensor("float32", shape, Float32Array.from(values));
  return { losses, parameters: { w1: tensor(w1, start.w1), b1: tensor(b1, start.b1), w2: tensor(w2, start.w2) } };
}

function oneCompileEveryLength(name: string, load: Load, tolerance: number): void {
  Deno.test(`${name} runs one compiled program at several lengths`, async () => {
    const builder = new GraphBuilder("lengths");
    const x = builder.input("x", "float32", ["batch", "T", 6]);
    const y = relu(linear(x, builder.parameter("weight", [9, 6])));
    builder.output("y", reshape(y, { shape: ["batch", "T", 3, 3] }));
    const graph = builder.build();
    await using backend = await load();
    const weight = numbers(11, 9, 6);
    for (const [batch, T] of [[1, 1], [2, 7], [3, 40]]) {
      const input = numbers(12, batch, T, 6);
      const { y: actual } = await execute(backend, graph, { x: input }, { batch, T }, { weight });
      const data = new Float32Array(batch * T * 9);
      for (let i = 0; i < data.length; i++) {
        let sum = 0;
        for (let k = 0; k < 6; k++) {
          sum += (input.data[Math.floor(i / 9) * 6 + k] as number) * (weight.data[(i % 9) * 6 + k] as number);
        }
        data[i] = Math.max(0, sum);
      }
      assertClose(actual, new Tensor("float32", [batch, T, 3, 3], data), tolerance, `batch ${batch}, T ${T}`);
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
    const encoding = { kind: "blocks", bits: 4, block: 32, scales: "float32" } as const;
    const weight = weightOf(numbers(1, 3, 4));
    using quantised = await backend.open(new Map([["layer.weight", { ...weight, encoding }]]));
    await assertRejects(() => backend.compile(graph, quantised), FormatError, "blocks of 32 numbers of 4 bits");
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
 * @param tolerance The largest relative error of computed numbers.
 */
export function seamProofs(name: string, load: Load, tolerance: number): void {
  stepsWithoutWaiting(name, load);
  statesInPlace(name, load);
  sharedWeights(name, load);
  trainsParameters(name, load, tolerance);
  trainsOpenWeights(name, load, tolerance);
  oneCompileEveryLength(name, load, tolerance);
  copiesRows(name, load);
  readsUnderWay(name, load);
  readsIntoMemory(name, load);
  refusesMisuse(name, load);
  refusesToReachOutside(name, load);
  releasesEverything(name, load);
}
