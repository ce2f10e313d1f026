// Proofs of training: what backends promise of parameters that programs write.
import { assertEquals, assertRejects } from "@std/assert";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/mod.ts";
import { LimnerError, ShapeError } from "../../src/errors/mod.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import { type Backend, GraphBuilder } from "../../src/graph/mod.ts";
import { openRepository } from "../../src/hub/mod.ts";
import { add, assign, gather, linear, mul, reduceMean, sub } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import type { Bounded } from "./bounds.ts";
import { assertClose, assertWithin } from "./closeness.ts";
import { memorySource } from "./execute.ts";
import { evaluate } from "./oracle.ts";
import { int64, numbers } from "./repeatable_numbers.ts";

type Load = () => Promise<Backend>;

function trainsParameters(name: string, load: Load, ceiling: number): void {
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
    const expected = descend(start, inputs, rate, 2);
    let bounds: Record<string, Tensor | Bounded> = start;
    const check = (key: string, actual: Tensor, value: Tensor) =>
      assertWithin(actual, { value, error: (bounds[key] as Bounded).error }, ceiling, key);
    for (let i = 0; i < 2; i++) {
      stream.enqueue(run);
      bounds = evaluate(step, { ...inputs, ...bounds });
      check("loss", await stream.read(loss), expected.losses[i]);
    }
    for (const key of Object.keys(shapes) as (keyof typeof shapes)[]) {
      check(key, await weights.read(key), expected.parameters[key]);
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

function trainsOpenWeights(name: string, load: Load, ceiling: number): void {
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
      const readingGraph = reading.build();
      const reader = stack.use(await backend.compile(readingGraph, weights));
      const buffers = {
        ids: stack.use(backend.allocate("int64", [4])),
        y: stack.use(backend.allocate("float32", [4, N])),
      };
      const ids = new Tensor("int64", [4], int64(3, 32, 0, 7));
      stream.write(buffers.ids, ids.data);
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
      /** Check a result against what a graph makes of the weights as they now are. */
      const check = async (actual: Tensor, what: string, graph = readingGraph) => {
        const names = Object.keys(start);
        const values = await Promise.all(names.map(async (key) => [key, await weights.read(key)] as const));
        const { y } = evaluate(graph, { ids, ...Object.fromEntries(values) });
        assertWithin(actual, y, ceiling, what);
      };
      await check(before, "before the weights were trained");
      await check(await generate(), "before the first step");
      const losses: number[] = [];
      for (let i = 0; i < 3; i++) {
        stream.enqueue(train);
        losses.push(Number((await stream.read(loss)).data[0]));
        // A step gives up the copies of what it trains; buffers are rounded up to 16 bytes.
        const atMost = (bytes: number) =>
          assertEquals(Math.max(bytes + 128, backend.counters.weightBytes), bytes + 128);
        atMost(packed);
        if (i === 1) continue; // two steps without reading between them
        const after = await generate();
        await check(after, `after step ${i}`);
        assertEquals(after.data.join() === before.data.join(), false);
        // Packed for the reader, and as they are trained: no more than their gradients take.
        atMost(packed + start.w1.data.byteLength + start.w2.data.byteLength);
      }
      assertEquals(losses[2] < losses[0], true);
      const reset = numbers(23, H, K);
      await weights.write("w1", reset);
      await check(await generate(), "after a write");
      assertClose(await weights.read("w1"), reset, 0, "what was written");
      // A reader compiled after the training, beside the first.
      const later = new GraphBuilder("later");
      later.output("y", add(forward(later).y, later.scalar(1)));
      const laterGraph = later.build();
      const second = stack.use(await backend.compile(laterGraph, weights));
      stream.enqueue(train);
      stream.enqueue(stack.use(second.bind(buffers)));
      await check(await stream.read(buffers.y), "the later one", laterGraph);
      await check(await generate(), "the first after it");
      // One that is compiled while a step runs.
      const compiling = backend.compile(readingGraph, weights);
      stream.enqueue(train);
      const third = stack.use(await compiling);
      stream.enqueue(stack.use(third.bind(buffers)));
      await check(await stream.read(buffers.y), "one that was compiled during a step");
      // A stream that asked for the new values and was aborted leaves them to the others.
      stream.enqueue(train);
      const control = new AbortController();
      const stopped = stack.use(backend.stream({ signal: control.signal }));
      stopped.enqueue(read);
      control.abort();
      await check(await generate(), "after an abort");
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
  const losses: Tensor[] = [];
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
    losses.push(new Tensor("float64", [], Float64Array.of(loss)));
    [[w1, g1], [b1, gb], [w2, g2]].forEach(([values, gradient]) =>
      values.forEach((_, i) => values[i] -= rate * gradient[i])
    );
  }
  const tensor = (values: number[], { shape }: Tensor) => new Tensor("float64", shape, Float64Array.from(values));
  return { losses, parameters: { w1: tensor(w1, start.w1), b1: tensor(b1, start.b1), w2: tensor(w2, start.w2) } };
}

/** Check what a backend promises of training, as backend_contract.ts does. */
export function trainingProofs(name: string, load: Load, ceiling: number): void {
  trainsParameters(name, load, ceiling);
  trainsOpenWeights(name, load, ceiling);
}
