import { assert, assertEquals, assertRejects } from "@std/assert";
import { load } from "../backends/ffi/mod.ts";
import { HubError, ShapeError } from "../src/errors.ts";
import { type Backend, GraphBuilder, type Weights } from "../src/graph/mod.ts";
import { FileSource } from "../src/hub/mod.ts";
import { linear } from "../src/operators/mod.ts";
import { type DataType, Tensor } from "../src/tensor/mod.ts";
import type { StoredWeight, StoredWeights } from "../src/weights/mod.ts";
import { assertClose } from "./conformance/closeness.ts";
import { memorySource } from "./conformance/execute.ts";

/** Repeatable numbers in [-1, 1). */
function numbers(seed: number, ...shape: number[]): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = ((Math.imul(i + seed * 977 + 1, 2654435761) >>> 8) / (1 << 23)) - 1;
  return new Tensor("float32", shape, data);
}

/** Parameters as float32 in files, each behind some bytes of something else. */
class Files extends Map<string, StoredWeight> implements AsyncDisposable {
  readonly #folders: string[] = [];

  async folder(): Promise<string> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "limner_weights_" }));
    this.#folders.push(folder);
    return folder;
  }

  async put(name: string, tensor: Tensor, path: string, offset: number): Promise<void> {
    const { data, dataType, shape } = tensor;
    const bytes = new Uint8Array(offset + data.byteLength);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    await Deno.remove(path).catch(() => {});
    await Deno.writeFile(path, bytes);
    const { check } = (await FileSource.open(path))!;
    const region = { path, offset, byteLength: data.byteLength, check };
    this.set(name, { dataType, shape, region, load: () => Promise.resolve(tensor) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders) await Deno.remove(folder, { recursive: true });
  }
}

/** x [1, in] times each named matrix [out, in] in turn. */
function chain(name: string, source: StoredWeights, names: readonly string[]) {
  const builder = new GraphBuilder(name);
  const width = source.get(names[0])!.shape[1];
  let y = builder.input("x", "float32", [1, width]);
  for (const key of names) y = linear(y, builder.parameter(key, source.get(key)!.shape));
  builder.output("y", y);
  return builder.build();
}

function multiply(x: Tensor, ...matrices: Tensor[]): Tensor {
  let y = Array.from(x.data as Float32Array);
  for (const { shape: [out, width], data } of matrices) {
    const from = y;
    y = Array.from({ length: out }, (_, o) => from.reduce((sum, v, i) => sum + v * (data[o * width + i] as number), 0));
  }
  return new Tensor("float32", [1, y.length], Float32Array.from(y));
}

/** Compile a chain, and run it when called. */
async function runner(backend: Backend, weights: Weights, source: StoredWeights, names: string[], x: Tensor) {
  const stack = new DisposableStack();
  const graph = chain(names.join(), source, names);
  const program = stack.use(await backend.compile(graph, weights));
  const stream = stack.use(backend.stream());
  const input = stack.use(backend.allocate("float32", x.shape));
  const output = stack.use(backend.allocate("float32", graph.outputs.get("y")!.shape as number[]));
  stream.write(input, x.data);
  const run = stack.use(program.bind({ x: input, y: output }));
  const call = () => {
    stream.enqueue(run);
    return stream.read(output);
  };
  return Object.assign(call, { [Symbol.dispose]: () => stack[Symbol.dispose]() });
}

Deno.test("ffi reads weights from several files, in several folders, at any offset", async () => {
  await using files = new Files();
  const [here, there] = [await files.folder(), await files.folder()];
  const matrices = { a: numbers(1, 24, 16), b: numbers(2, 40, 24), c: numbers(3, 8, 40) };
  await files.put("a", matrices.a, `${here}/one.safetensors`, 64);
  await files.put("b", matrices.b, `${here}/two.bin`, 13);
  await files.put("c", matrices.c, `${there}/three.safetensors`, 8);
  const x = numbers(4, 1, 16);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using run = await runner(backend, weights, files, ["a", "b", "c"], x);
    assertClose(await run(), multiply(x, matrices.a, matrices.b, matrices.c), 1e-5, "y");
    assertEquals(backend.counters.weightBytes, 4 * (24 * 16 + 40 * 24 + 8 * 40));
  }
  assertEquals(backend.counters.liveHandles, 0);
  assertEquals(backend.counters.weightBytes, 0);
});

Deno.test("ffi keeps one copy of weights that two programs read from a file", async () => {
  await using files = new Files();
  const megabyte = 2 ** 20;
  const width = 4096;
  await files.put("large", numbers(5, width, width), `${await files.folder()}/model.safetensors`, 1024);
  const bytes = 4 * width * width;
  const x = numbers(6, 1, width);
  await using backend = await load();
  using weights = await backend.open(files);
  // The rest of ONNX Runtime is in memory before the first measurement.
  {
    using other = await backend.open(memorySource({ small: numbers(7, 8, 8) }));
    const source = memorySource({ small: numbers(7, 8, 8) });
    using warm = await runner(backend, other, source, ["small"], numbers(8, 1, 8));
    await warm();
  }
  const before = Deno.memoryUsage().rss;
  using one = await runner(backend, weights, files, ["large"], x);
  const expected = await one();
  const packed = Deno.memoryUsage().rss - before;
  assert(packed < 1.3 * bytes, `${packed / megabyte} MB for a packed copy of ${bytes / megabyte} MB of weights`);
  using two = await runner(backend, weights, files, ["large"], x);
  assertClose(await two(), expected, 1e-6, "the second program");
  assertClose(await one(), expected, 1e-6, "the first program, compiled anew");
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 1.3 * bytes, `${grown / megabyte} MB for ${bytes / megabyte} MB of weights`);
  assertEquals(backend.counters.weightBytes, bytes);
});

Deno.test("ffi widens half-precision weights exactly, whatever their place", async () => {
  const half = { float16: new Float16Array(48), bfloat16: new Uint16Array(48) };
  const values = Array.from({ length: 48 }, (_, i) => (i - 20) / 16);
  half.float16.set(values);
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  half.bfloat16.set(Array.from(bits, (word) => word >>> 16));
  const x = numbers(9, 1, 8);
  const expected = multiply(x, new Tensor("float32", [6, 8], Float32Array.from(values)));
  await using backend = await load();
  for (const dataType of ["float16", "bfloat16"] as const satisfies DataType[]) {
    const source = memorySource({ weight: new Tensor(dataType, [6, 8], half[dataType]) });
    using weights = await backend.open(source);
    using run = await runner(backend, weights, source, ["weight"], x);
    assertClose(await run(), expected, 1e-6, dataType);
    assertEquals(backend.counters.weightBytes, 4 * 48);
    assertEquals((await weights.read("weight")).dataType, "float32");
  }
});

Deno.test("ffi takes a parameter's new value, also where programs read the old one from a file", async () => {
  await using files = new Files();
  const [a, b] = [numbers(10, 8, 8), numbers(11, 8, 8)];
  const folder = await files.folder();
  await files.put("a", a, `${folder}/a.bin`, 0);
  await files.put("b", b, `${folder}/b.bin`, 0);
  const x = numbers(12, 1, 8);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using both = await runner(backend, weights, files, ["a", "b"], x);
    using first = await runner(backend, weights, files, ["a"], x);
    assertClose(await both(), multiply(x, a, b), 1e-5, "as stored");
    const fresh = numbers(13, 8, 8);
    await weights.write("a", fresh);
    assertClose(await both(), multiply(x, fresh, b), 1e-5, "with a new value");
    assertClose(await first(), multiply(x, fresh), 1e-5, "in the other program");
    assertClose(await weights.read("a"), fresh, 0, "the parameter");
    await weights.write("a", a);
    assertClose(await both(), multiply(x, a, b), 1e-5, "as before");
    assertEquals(backend.counters.weightBytes, 2 * 256);
    await assertRejects(() => weights.write("a", numbers(1, 4, 8)), ShapeError, '"a"');
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi reads weights from the file that replaced theirs once it is told so, and refuses to before", async () => {
  await using files = new Files();
  const [a, b] = [numbers(14, 8, 8), numbers(15, 8, 8)];
  const path = `${await files.folder()}/model.safetensors`;
  await files.put("a", a, path, 8);
  const x = numbers(16, 1, 8);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using first = await runner(backend, weights, files, ["a"], x);
    using second = await runner(backend, weights, files, ["a"], x); // reads it mapped, as the first does now
    const old = files.get("a")!;
    await files.put("b", b, path, 40);
    files.set("a", old);
    await assertRejects(() => runner(backend, weights, files, ["a"], x), HubError, "changed or replaced");
    using third = await runner(backend, weights, files, ["b"], x);
    using fourth = await runner(backend, weights, files, ["b"], x);
    for (const run of [first, second]) assertClose(await run(), multiply(x, a), 1e-5, "of the old file");
    for (const run of [third, fourth]) assertClose(await run(), multiply(x, b), 1e-5, "of the new file");
  }
  assertEquals(backend.counters.liveHandles, 0);
});
