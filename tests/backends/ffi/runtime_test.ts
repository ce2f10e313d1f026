import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { load, report } from "../../../backends/ffi/mod.ts";
import { readTable } from "../../../backends/ffi/runtime.ts";
import { BackendError, OptionError, OrtError } from "../../../src/errors/mod.ts";
import { VisionEncoderDecoderModel } from "../../../mod.ts";
import { type DeviceTensor, type Graph, GraphBuilder } from "../../../src/graph/mod.ts";
import { add, assign, attention, cacheAppend, mul, transpose } from "../../../src/operators/mod.ts";
import { supportsNode, toOnnx } from "../../../backends/onnx/mod.ts";
import { prepare } from "../../../src/passes/mod.ts";
import { sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import { deno } from "../../cli/command_process.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import type { Bounded } from "../../conformance/bounds.ts";
import { assertClose, assertWithin } from "../../conformance/closeness.ts";
import { evaluate } from "../../conformance/oracle.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { bound, doubling, lookup, slow } from "../onnx/small_programs.ts";

Deno.test("ffi tells what ONNX Runtime says of a failed run at the next read, and goes on", async () => {
  await using backend = await load();
  {
    using stream = backend.stream();
    using failing = await bound(backend, lookup());
    using fine = await bound(backend, doubling());
    stream.write(failing.buffers.ids, BigInt64Array.of(7n));
    stream.enqueue(failing.run);
    stream.write(fine.buffers.x, Float32Array.of(1, 2, 3, 4));
    stream.enqueue(fine.run);
    const error = await assertRejects(() => stream.read(fine.buffers.y), OrtError, "lookup");
    assertStringIncludes(error.message, "idx=7");
    assert(error.code > 0);
    // What was queued behind the failure was dropped; new work is not.
    stream.write(fine.buffers.x, Float32Array.of(1, 2, 3, 4));
    stream.enqueue(fine.run);
    assertEquals((await stream.read(fine.buffers.y)).toList(), [2, 4, 6, 8]);
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi is loaded while the library's last environment is released", async () => {
  // The new one is made on another thread: after so many milliseconds it may be when the old one is just being released.
  let last = await load();
  for (let turn = 0; turn < 70; turn++) {
    const next = load();
    await new Promise((resolve) => setTimeout(resolve, turn % 7));
    await last[Symbol.asyncDispose]();
    last = await next;
    (await last.open(new Map()))[Symbol.dispose]();
  }
  await last[Symbol.asyncDispose]();
  assertEquals(last.counters.liveHandles, 0);
});

Deno.test("ffi writes nothing to the terminal when a run fails", async () => {
  const script = `
    import { load } from "./backends/ffi/mod.ts";
    import { GraphBuilder } from "./src/graph/mod.ts";
    import { gather } from "./src/operators/mod.ts";
    const backend = await load();
    const stream = backend.stream();
    const builder = new GraphBuilder("lookup");
    const table = builder.input("table", "float32", [3, 2]);
    builder.output("y", gather(table, builder.input("ids", "int64", [1]), { axis: 0 }));
    const weights = await backend.open(new Map());
    const program = await backend.compile(builder.build(), weights);
    const [t, ids, y] = [["float32", [3, 2]], ["int64", [1]], ["float32", [1, 2]]].map((a) => backend.allocate(...a));
    stream.write(ids, BigInt64Array.of(7n));
    stream.enqueue(program.bind({ table: t, ids, y }));
    await stream.read(y).catch((error) => console.log(error.name));`;
  const url = `data:application/javascript,${
    encodeURIComponent(script.replaceAll('"./', `"${new URL("../../..", import.meta.url)}`))
  }`;
  const ended = await deno([url]);
  assertEquals([ended.code, ended.stdout.trim(), ended.stderr], [0, "OrtError", ""]);
});

Deno.test("ffi stops a run when it is asked to, and can be used afterwards", async () => {
  await using backend = await load({ threads: 1 });
  {
    using stream = backend.stream();
    // A second, however many cores there are, unless it is stopped.
    using long = await bound(backend, slow(300, 512));
    using fine = await bound(backend, doubling());
    const identity = Float32Array.from({ length: 512 * 512 }, (_, i) => i % 513 === 0 ? 1 : 0);
    stream.write(long.buffers.x, identity);
    await stream.read(long.buffers.y);
    const control = new AbortController();
    using stopped = backend.stream({ signal: control.signal });
    stopped.enqueue(long.run);
    setTimeout(() => control.abort(new Error("enough")), 20);
    await assertRejects(() => stopped.read(long.buffers.y), Error, "enough");
    // The last of its steps was not reached, as its result is not there.
    assertEquals((await stream.read(long.buffers.y)).data.every((value) => value === 0), true);
    stream.enqueue(long.run);
    assertEquals((await stream.read(long.buffers.y)).data, identity);
    stream.write(fine.buffers.x, Float32Array.of(1, 2, 3, 4));
    stream.enqueue(fine.run);
    assertEquals((await stream.read(fine.buffers.y)).toList(), [2, 4, 6, 8]);
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi lets everything be released during a run, in any order, and twice", async () => {
  for (const reversed of [false, true]) {
    const backend = await load();
    const { all, run } = await bound(backend, slow(20, 512));
    const stream = backend.stream();
    all.push(stream);
    stream.enqueue(run);
    stream.enqueue(run);
    for (let i = 0; i < 2; i++) for (const each of reversed ? all.toReversed() : all) each[Symbol.dispose]();
    await backend[Symbol.asyncDispose]();
    assertEquals(backend.counters.liveHandles, 0);
  }
});

Deno.test("ffi holds no second value of a state that is computed in its place", async () => {
  await using backend = await load();
  const handles = async (turns: boolean) => {
    const builder = new GraphBuilder("update");
    const state = builder.state("state", "float32", [4, 4]);
    const other = turns ? transpose(state, { permutation: [1, 0] }) : state;
    assign(state, add(mul(state, builder.scalar(0.5)), other));
    using update = await bound(backend, builder.build());
    const before = backend.counters.liveHandles;
    using _another = update.program.bind(update.buffers);
    return backend.counters.liveHandles - before;
  };
  assertEquals([await handles(false), await handles(true)], [1, 2]);
});

Deno.test("ffi lets a backend be closed before what was made with it is released", async () => {
  const backend = await load();
  const { all, run, buffers } = await bound(backend, slow(20, 512));
  const stream = backend.stream();
  all.push(stream);
  stream.enqueue(run);
  await backend[Symbol.asyncDispose]();
  assertThrows(() => stream.enqueue(run), BackendError, "closed");
  assertThrows(() => backend.allocate("float32", [1]), BackendError, "closed");
  await assertRejects(() => stream.read(buffers.y), BackendError, "closed");
  for (const each of all) each[Symbol.dispose]();
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi refuses what was released", async () => {
  await using backend = await load();
  using stream = backend.stream();
  const { run, program, buffers, weights } = await bound(backend, doubling());
  const { x, y } = buffers;
  x[Symbol.dispose]();
  assertThrows(() => stream.write(x, Float32Array.of(1)), BackendError, "released");
  assertThrows(() => stream.enqueue(run), BackendError, "released");
  assertThrows(() => program.bind({ x, y }), BackendError, "released");
  await assertRejects(() => stream.read(x), BackendError, "released");
  run[Symbol.dispose]();
  assertThrows(() => stream.enqueue(run), BackendError, "released");
  program[Symbol.dispose]();
  assertThrows(() => program.bind({ x, y }), BackendError, "released");
  stream[Symbol.dispose]();
  assertThrows(() => stream.write(y, Float32Array.of(1)), BackendError, "released");
  await assertRejects(() => stream.read(y), BackendError, "released");
  y[Symbol.dispose]();
  weights[Symbol.dispose]();
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi reads what was queued before the read, not what is queued after it", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using program = await bound(backend, doubling());
  const { run, buffers: { x, y } } = program;
  stream.write(x, Float32Array.of(1, 2, 3, 4));
  stream.enqueue(run);
  const first = stream.read(y);
  const data = Float32Array.of(5, 6, 7, 8);
  stream.write(x, data);
  // The array is the caller's again as soon as it was queued.
  data.fill(0);
  stream.enqueue(run);
  assertEquals((await first).toList(), [2, 4, 6, 8]);
  assertEquals((await stream.read(y)).toList(), [10, 12, 14, 16]);
});

/** Attention over a cache that it appends to; with heads of 64 ONNX Runtime's own operator, with heads of 7 not. */
function cachedAttention(width: number): Graph {
  const builder = new GraphBuilder(`cached attention ${width}`);
  const [query, ...fresh] = ["query", "key", "value"].map((name) =>
    builder.input(name, "float32", ["rows", 3, "T", width])
  );
  const [keys, values] = ["keys", "values"].map((name, i) =>
    cacheAppend(builder.state(name, "float32", ["rows", 3, "capacity", width]), fresh[i], { axis: 2, at: "past" })
  );
  builder.output("y", attention(query, keys, values, { causal: true, length: "past+T" }));
  return builder.build();
}

for (const width of [64, 7]) {
  Deno.test(`ffi attends over a cache with heads of ${width}, prompt and steps`, async () => {
    const graph = cachedAttention(width);
    const sizes = { rows: 2, capacity: 9 };
    await using backend = await load();
    using stream = backend.stream();
    using prompt = await bound(backend, graph, { ...sizes, T: 4, past: 5 });
    const { keys, values } = prompt.buffers;
    using stack = new DisposableStack();
    const empty = new Tensor("float32", keys.capacity, new Float32Array(sizeOf(keys.capacity)));
    let caches: Record<string, Tensor | Bounded> = { keys: empty, values: empty };
    const { ceiling } = accuracies.ffi;
    // With several rows ONNX Runtime's own operator refuses several tokens after others.
    for (const [at, T] of [[0, 4], [4, 1], [5, 1], [6, 3]]) {
      const inputs = ["query", "key", "value"].map((name, i) => [name, numbers(10 * at + i, 2, 3, T, width)] as const);
      const allocate = () => stack.use(backend.allocate("float32", [2, 3, T, width]));
      const step: Record<string, DeviceTensor> = { keys, values, y: allocate() };
      for (const [name, { data }] of inputs) stream.write(step[name] = allocate(), data);
      stream.enqueue(stack.use(prompt.program.bind(step, { ...sizes, T, past: 9 - T })), { past: at });
      const given = { ...Object.fromEntries(inputs), ...caches };
      const { y, ...after } = evaluate(graph, given, { sizes: { ...sizes, T, past: at } });
      assertWithin(await stream.read(step.y), y, ceiling, `y from ${at} on`);
      for (const name of ["keys", "values"]) assertWithin(await stream.read(step[name]), after[name], ceiling, name);
      caches = after;
    }
    const names = new TextDecoder("latin1").decode(
      toOnnx(prepare(graph, supportsNode), () => "bound").bytes,
    );
    assertEquals(names.includes("GroupQueryAttention"), width === 64);
  });
}

Deno.test("ffi names the library that is missing, or is none", async () => {
  const missing = { libraryPath: "/nowhere/libonnxruntime.so" };
  await assertRejects(() => load(missing), BackendError, "/nowhere/libonnxruntime.so");
  assertEquals((await report(missing)).available, false);
  assertStringIncludes((await report(missing)).reason, "/nowhere/libonnxruntime.so");
  const path = await Deno.makeTempFile({ suffix: ".so" });
  try {
    await Deno.writeTextFile(path, "no library");
    await assertRejects(() => load({ libraryPath: path }), BackendError, path);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("ffi says which version of ONNX Runtime it needs where the library is older", () => {
  const version = new TextEncoder().encode("1.17.3\0");
  const getApi = new Deno.UnsafeCallback({ parameters: ["u32"], result: "pointer" }, () => null);
  const getVersion = new Deno.UnsafeCallback(
    { parameters: [], result: "pointer" },
    () => Deno.UnsafePointer.of(version),
  );
  const base = BigUint64Array.of(
    ...[getApi, getVersion].map(({ pointer }) => BigInt(Deno.UnsafePointer.value(pointer))),
  );
  const error = assertThrows(() => readTable(Deno.UnsafePointer.of(base)!, "/old/libonnxruntime.so"), BackendError);
  assertStringIncludes(error.message, "/old/libonnxruntime.so");
  assertStringIncludes(error.message, "1.17.3");
  for (const callback of [getApi, getVersion]) callback.close();
});

Deno.test("ffi says what to do where the library's package is not to be had", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const script = `${folder}/script.ts`;
    await Deno.writeTextFile(
      script,
      `import { load } from "${new URL("../../../backends/ffi/mod.ts", import.meta.url)}";
      await load().catch((error) => console.log(error.name + ": " + error.message));`,
    );
    const { stdout } = await deno(["--cached-only", "--no-lock", script], {
      env: { DENO_DIR: `${folder}/cache`, LIMNER_ORT_LIBRARY: "" },
    });
    assertStringIncludes(stdout, "BackendError: Cannot load the ffi backend");
    assertStringIncludes(stdout, "deno add npm:onnxruntime-node@");
    assertStringIncludes(stdout, "LIMNER_ORT_LIBRARY");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ffi refuses a number of threads that is none", async () => {
  for (const threads of [0, -3, 1.5, NaN]) {
    await assertRejects(() => load({ threads }), BackendError, `threads is ${threads}`);
  }
});

Deno.test("ffi computes the same whether its threads spin while they wait or rest", async () => {
  const results: Tensor[] = [];
  for (const spinning of [true, false]) {
    await using backend = await load({ spinning });
    using program = await bound(backend, slow(4, 512));
    using stream = backend.stream();
    stream.write(program.buffers.x, (numbers(1, 512, 512).data as Float32Array).map((value) => value / 64));
    stream.enqueue(program.run);
    results.push(await stream.read(program.buffers.y));
  }
  assertClose(results[1], results[0], 1e-5, "resting threads");
  await assertRejects(
    () => VisionEncoderDecoderModel.fromPretrained("nowhere", { spinning: 1 as never }),
    OptionError,
    "true or false was expected",
  );
});

Deno.test("ffi reports that it needs a permission, without asking for it, and looks for no library", async () => {
  const script = `import { load, report } from "${new URL("../../../backends/ffi/mod.ts", import.meta.url)}";
    const message = await load({ libraryPath: "/nowhere" }).catch((error) => error.message);
    console.log(JSON.stringify({ ...await report(), message }));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", `data:application/javascript,${encodeURIComponent(script)}`],
    stdout: "piped",
    stderr: "inherit",
    env: { LIMNER_ORT_LIBRARY: "" },
  });
  const { stdout } = await child.output();
  const { available, reason, message } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals([available, reason], [false, "it needs --allow-ffi"]);
  assertEquals(message, "Cannot load the ffi backend: it needs --allow-ffi");
});
