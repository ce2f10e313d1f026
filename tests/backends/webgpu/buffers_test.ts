// Buffers and bind groups come back, since what hangs on them is freed late: a use like one before makes none, nothing of
// one use is seen in the next, and nothing stays when the last program has gone.
import { assertEquals, assertThrows } from "@std/assert";
import { load } from "../../../backends/webgpu/mod.ts";
import { ShapeError } from "../../../src/errors/mod.ts";
import {
  type Backend,
  type DeviceTensor,
  GraphBuilder,
  type Program,
  type TensorPart,
} from "../../../src/graph/mod.ts";
import { add, assign, mul, reshape, sub, transpose } from "../../../src/operators/mod.ts";
import { type Tensor, VisionEncoderDecoderModel } from "../../../mod.ts";
import { memorySource } from "../../conformance/execute.ts";
import { readTensors } from "../../conformance/read_golden.ts";

/** How often GPU objects are made while `work` runs, and how many of the buffers were not destroyed again. */
async function made(work: () => Promise<void>): Promise<{ groups: number; buffers: number; left: number }> {
  const count = { groups: 0, buffers: 0, left: 0 };
  const { createBindGroup, createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  GPUDevice.prototype.createBindGroup = function (descriptor) {
    count.groups++;
    return createBindGroup.call(this, descriptor);
  };
  GPUDevice.prototype.createBuffer = function (descriptor) {
    count.buffers++;
    count.left++;
    return createBuffer.call(this, descriptor);
  };
  GPUBuffer.prototype.destroy = function () {
    count.left--;
    return destroy.call(this);
  };
  try {
    await work();
  } finally {
    Object.assign(GPUDevice.prototype, { createBindGroup, createBuffer });
    Object.assign(GPUBuffer.prototype, { destroy });
  }
  return count;
}

/** Compiles y = (x + x)ᵀ · xᵀ, which needs temporaries: x and y are [n, n]. */
async function compileSquare(backend: Backend): Promise<Program> {
  const builder = new GraphBuilder("square");
  const x = builder.input("x", "float32", ["n", "n"]);
  const turned = (value: typeof x) => reshape(transpose(value, { permutation: [1, 0] }), { shape: ["n*n"] });
  builder.output("y", reshape(mul(turned(add(x, x)), turned(x)), { shape: ["n", "n"] }));
  return await backend.compile(builder.build(), await backend.open(memorySource()));
}

const numbers = (n: number, from: number) => Float32Array.from({ length: n * n }, (_, i) => from + i);

/** What `compileSquare` computes. */
const square = (n: number, from: number) =>
  Float32Array.from({ length: n * n }, (_, i) => 2 * (from + (i % n) * n + Math.floor(i / n)) ** 2);

Deno.test("webgpu: generations like those before make no buffers and no bind groups, aborted ones neither", async () => {
  const folder = new URL("../../fixtures/models/vit_gpt2_captioning/", import.meta.url);
  const pixels: Tensor = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
  await using backend = await load();
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const round = async () => {
    for (const method of [{}, { numBeams: 3, minNewTokens: 3 }, { doSample: true, seed: 1 }]) {
      for (const aborts of [false, true]) {
        const stop = new AbortController();
        // Rows end at different times, so that some go on alone.
        const stops = (tokens: readonly number[]) => {
          if (aborts && tokens.length === 4) stop.abort();
          return tokens[tokens.length - 1] % 11 === 0;
        };
        const options = { ...method, maxNewTokens: 12, stoppingCriteria: [stops], signal: stop.signal };
        await model.generate(pixels, options).catch((error) => {
          if (!stop.signal.aborted) throw error;
        });
      }
    }
  };
  await round();
  await round();
  // How many reads still have their buffer while others begin is a matter of time: there are enough of them at some point.
  let found = await made(round);
  for (let i = 0; i < 8 && found.buffers > 0; i++) found = await made(round);
  assertEquals(found, { groups: 0, buffers: 0, left: 0 });
});

Deno.test("webgpu: runs share temporaries, and each computes its own", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using program = await compileSquare(backend);
  const uses = [4, 3, 4].map((n, i) => {
    const tensors = { x: backend.allocate("float32", [n, n]), y: backend.allocate("float32", [n, n]) };
    return { n, from: 100 * i, tensors, run: program.bind(tensors, { n }) };
  });
  for (const { n, from, tensors } of uses) stream.write(tensors.x, numbers(n, from));
  for (const { run } of uses) stream.enqueue(run);
  const read = await Promise.all(uses.map(({ tensors }) => stream.read(tensors.y)));
  for (const [i, { n, from }] of uses.entries()) assertEquals(read[i].data, square(n, from));
  for (const { run, tensors } of uses) for (const object of [run, tensors.x, tensors.y]) object[Symbol.dispose]();
});

Deno.test("webgpu: a buffer that comes back is zeroed, after what was queued for it before", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using program = await compileSquare(backend);
  const tensors = { x: backend.allocate("float32", [4, 4]), y: backend.allocate("float32", [4, 4]) };
  const run = program.bind(tensors, { n: 4 });
  stream.write(tensors.x, numbers(4, 1));
  stream.enqueue(run);
  for (const object of [run, tensors.x, tensors.y]) object[Symbol.dispose]();
  let again: DeviceTensor[] = [];
  const { buffers } = await made(() => {
    again = [backend.allocate("float32", [16]), backend.allocate("int64", [2, 8])];
    return Promise.resolve();
  });
  assertEquals(buffers, 0);
  for (const tensor of again) {
    assertEquals([...(await stream.read(tensor)).data].map(Number), Array(16).fill(0));
    tensor[Symbol.dispose]();
  }
});

Deno.test("webgpu: a state that is computed in its place needs no second buffer", async () => {
  await using backend = await load();
  using weights = await backend.open(memorySource());
  const bind = async (turns: boolean) => {
    const builder = new GraphBuilder("update");
    const x = builder.input("x", "float32", [100, 100]);
    const [p, m] = ["p", "m"].map((name) => builder.state(name, "float32", [100, 100]));
    const half = builder.scalar(0.5);
    const moment = add(mul(m, half), x);
    assign(m, moment);
    // The values that turning moves away are not where they are read.
    assign(p, sub(mul(turns ? transpose(p, { permutation: [1, 0] }) : p, half), moment));
    const program = await backend.compile(builder.build(), weights);
    const [a, b, c] = ["x", "p", "m"].map(() => backend.allocate("float32", [100, 100]));
    return await made(() => Promise.resolve(void program.bind({ x: a, p: b, m: c })));
  };
  assertEquals((await bind(false)).buffers, 0);
  assertEquals((await bind(true)).buffers, 1);
});

Deno.test("webgpu: a part of a tensor needs a buffer of its own only where it begins in between or shares a kernel", async () => {
  await using backend = await load();
  using weights = await backend.open(memorySource());
  const builder = new GraphBuilder("double");
  const operand = builder.input("x", "float32", [16]);
  builder.output("y", add(operand, operand));
  using program = await backend.compile(builder.build(), weights);
  using x = backend.allocate("float32", [256]);
  using y = backend.allocate("float32", [256]);
  const buffersFor = async (tensors: Record<string, DeviceTensor | TensorPart>) =>
    (await made(() => Promise.resolve(program.bind(tensors)[Symbol.dispose]()))).buffers;
  assertEquals(await buffersFor({ x: { tensor: x, offset: 64 }, y: { tensor: y, offset: 128 } }), 0);
  // The kernel reads x and writes y: one of them has to be elsewhere than the other.
  assertEquals(await buffersFor({ x: { tensor: x, offset: 64 }, y: { tensor: x, offset: 128 } }), 1);
  // Another, beside that one.
  assertEquals(await buffersFor({ x: { tensor: x, offset: 63 }, y: { tensor: y, offset: 129 } }), 1);
});

Deno.test("webgpu: small and large writes and runs take effect in the order of their calls", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using program = await compileSquare(backend);
  const n = 600; // 1.44 MB, more than is recorded with a submission
  using x = backend.allocate("float32", [n, n]);
  using y = backend.allocate("float32", [n, n]);
  using run = program.bind({ x, y }, { n });
  const expected = square(n, 0);
  stream.write(x, numbers(n, 7));
  stream.enqueue(run);
  stream.write(x, numbers(n, 0));
  stream.enqueue(run);
  stream.write(x, Float32Array.of(5, 6), 1);
  stream.write(y, Float32Array.of(-1), 3);
  expected[3] = -1;
  assertEquals((await stream.read(y)).data, expected);
  assertEquals([...(await stream.read(x, { shape: [4] })).data], [0, 5, 6, 3]);
});

Deno.test("webgpu: a run whose tensor was disposed is refused: its buffer may be another's", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using program = await compileSquare(backend);
  const x = backend.allocate("float32", [2, 2]);
  using y = backend.allocate("float32", [2, 2]);
  using run = program.bind({ x, y }, { n: 2 });
  x[Symbol.dispose]();
  assertThrows(() => stream.enqueue(run), ShapeError, "disposed");
});

Deno.test("webgpu: what is given back is kept within bounds, and not longer than there are programs", async () => {
  await using backend = await load();
  const program = await compileSquare(backend);
  const tensors = { x: backend.allocate("float32", [4, 4]), y: backend.allocate("float32", [4, 4]) };
  const run = program.bind(tensors, { n: 4 });
  const { left } = await made(async () => {
    const large = Array.from({ length: 5 }, () => backend.allocate("uint8", [8 << 20]));
    for (const tensor of large) tensor[Symbol.dispose]();
    await Promise.resolve();
  });
  assertEquals(left, 4); // 128 MB
  const after = await made(async () => {
    program[Symbol.dispose]();
    for (const object of [run, tensors.x, tensors.y]) object[Symbol.dispose]();
    await Promise.resolve();
  });
  assertEquals(after.left < -left, true);
  assertEquals(backend.counters.liveHandles, 0);
});
