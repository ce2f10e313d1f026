// What ONNX Runtime in WebAssembly does beyond what every backend promises: its errors, its memory, its turns, and that it asks for
// no permission.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { load, report } from "../../../backends/wasm/mod.ts";
import type { WasmBackend } from "../../../backends/wasm/backend.ts";
import { BackendError, OrtError } from "../../../src/errors/mod.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { linear } from "../../../src/operators/mod.ts";
import { allOperators } from "../../../backends/onnx/mod.ts";
import { findOperators } from "../../../backends/onnx/find_operators.ts";
import { execute } from "../../cli/command_process.ts";
import { memorySource } from "../../conformance/execute.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { runProcess } from "../../../bench/peers/processes.ts";
import { bound, doubling, lookup, slow } from "../onnx/small_programs.ts";

Deno.test("wasm tells what ONNX Runtime says of a failed run at the next read, and goes on", async () => {
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
    assertEquals([error.code > 0, error.backend], [true, "wasm"]);
    stream.write(fine.buffers.x, Float32Array.of(1, 2, 3, 4));
    stream.enqueue(fine.run);
    assertEquals((await stream.read(fine.buffers.y)).toList(), [2, 4, 6, 8]);
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("wasm reports a model that it cannot compile, and keeps no memory of it", async () => {
  const { runtime } = await load() as WasmBackend;
  const bytes = new TextEncoder().encode("no model");
  assertThrows(
    () => runtime.createSession(bytes, { name: "nonsense", files: new Map() }),
    OrtError,
    "compile nonsense",
  );
  assertEquals([runtime.counters.weightBytes, runtime.counters.deviceBytes, runtime.counters.liveHandles], [0, 0, 0]);
  await runtime.close();
  assertThrows(() => runtime.allocate("float32", [1]), BackendError, "closed");
});

Deno.test("wasm has every operator that the lowering can use", async () => {
  const { runtime } = await load() as WasmBackend;
  const compiles = (bytes: Uint8Array) => {
    runtime.createSession(bytes, { name: "a small model", files: new Map() }).release();
    return Promise.resolve(true);
  };
  assertEquals(await findOperators(compiles), allOperators);
});

Deno.test("wasm says how much it asked for where its memory ends", async () => {
  await using backend = await load();
  assertThrows(() => backend.allocate("float32", [2 ** 30]), OrtError, "4294967296 bytes");
  using four = backend.allocate("float32", [4]);
  assertEquals(four.capacity, [4]);
});

Deno.test("wasm stops between runs when it is asked to, and can be used afterwards", async () => {
  await using backend = await load();
  {
    using stream = backend.stream();
    using long = await bound(backend, slow(6, 256));
    const identity = Float32Array.from({ length: 256 * 256 }, (_, i) => i % 257 === 0 ? 1 : 0);
    stream.write(long.buffers.x, identity);
    const control = new AbortController();
    using stopped = backend.stream({ signal: control.signal });
    const { runs } = backend.counters;
    for (let i = 0; i < 200; i++) stopped.enqueue(long.run);
    setTimeout(() => control.abort(new Error("enough")), 20);
    await assertRejects(() => stopped.read(long.buffers.y), Error, "enough");
    assert(backend.counters.runs - runs < 200, "all runs were executed");
    stream.enqueue(long.run);
    assertEquals((await stream.read(long.buffers.y)).data, identity);
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("wasm gives timers their turns while it runs", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using long = await bound(backend, slow(6, 256));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let i = 0; i < 10; i++) stream.enqueue(long.run);
  await stream.read(long.buffers.y);
  clearInterval(timer);
  assert(turns >= 5, `${turns} turns`);
});

Deno.test("wasm lets everything be released during a run, in any order, and twice", async () => {
  for (const reversed of [false, true]) {
    const backend = await load();
    const { all, run, buffers } = await bound(backend, slow(4, 256));
    const stream = backend.stream();
    all.push(stream);
    stream.enqueue(run);
    stream.enqueue(run);
    for (let i = 0; i < 2; i++) for (const each of reversed ? all.toReversed() : all) each[Symbol.dispose]();
    await backend[Symbol.asyncDispose]();
    assertEquals(backend.counters.liveHandles, 0);
    assertThrows(() => stream.enqueue(run), BackendError);
    await assertRejects(() => stream.read(buffers.y), BackendError);
  }
});

Deno.test("wasm moves a parameter that two programs read to where both read it, and gives all of it back", async () => {
  await using backend = await load();
  const weight = numbers(1, 64, 64);
  const bytes = weight.data.byteLength;
  const product = (name: string) => {
    const builder = new GraphBuilder(name);
    builder.output("y", linear(builder.input("x", "float32", [1, 64]), builder.parameter("weight", [64, 64])));
    return builder.build();
  };
  {
    using weights = await backend.open(memorySource({ weight }));
    using _first = await backend.compile(product("first"), weights);
    const held = backend.counters.liveHandles;
    assertEquals([backend.counters.weightBytes, backend.counters.deviceBytes], [bytes, bytes]);
    using _second = await backend.compile(product("second"), weights);
    assertEquals([backend.counters.weightBytes, backend.counters.deviceBytes], [bytes, bytes]);
    assert(backend.counters.liveHandles > held);
  }
  const { weightBytes, deviceBytes, liveHandles } = backend.counters;
  assertEquals([weightBytes, deviceBytes, liveHandles], [0, 0, 0]);
});

Deno.test("wasm loads and reads a line with no permission but reading the model and the picture", async () => {
  const root = new URL("../../../", import.meta.url);
  const script = `import { Captioner } from ${JSON.stringify(new URL("mod.ts", root).href)};
    await using captioner = await Captioner.load(undefined, { backend: "auto" });
    console.log(captioner.model.backend.name, await captioner.caption("assets/examples/line.png"));`;
  const url = `data:application/javascript,${encodeURIComponent(script)}`;
  const read = ["assets", "src"].map((path) => new URL(path, root).pathname).join();
  const { stdout, stderr } = await execute(Deno.execPath(), [
    "run",
    "--quiet",
    "--no-prompt",
    `--allow-read=${read}`,
    url,
  ]);
  assertEquals(stdout, "wasm ninth century Zen master\n", stderr);
});

Deno.test({
  name: "wasm reads a line again and again in less than 250 MB",
  ignore: Deno.build.os !== "linux", // only Linux says how much memory a process has of its own
  fn: async () => {
    const bench = new URL("../../../bench/wasm_bench.ts", import.meta.url).href;
    const { peak, lines } = await runProcess(Deno.execPath(), ["run", "-A", "--no-check", bench, "--of", "wasm"]);
    assertEquals<unknown>(lines[0].text, "ninth century Zen master");
    assert(peak < 250e6, `${peak / 1e6} MB`);
  },
});

Deno.test("wasm can be loaded wherever there is WebAssembly, and is asked of nobody", async () => {
  assertEquals(await report(), { name: "wasm", available: true, device: "WebAssembly, 1 thread", reason: "" });
});
