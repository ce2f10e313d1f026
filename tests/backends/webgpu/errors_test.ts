// What goes wrong on a device: when it is told of, and that nothing is left behind.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { findAdapter, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { load, report } from "../../../backends/webgpu/mod.ts";
import { Captioner } from "../../../src/captioner/captioner.ts";
import { BackendError, DeviceLostError, ShapeError, WebGpuError } from "../../../src/errors/mod.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { add } from "../../../src/operators/mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import { memorySource } from "../../conformance/execute.ts";

/** The backend and the device below it. */
async function open() {
  const { device, profile } = await openDevice((await findAdapter())!);
  return { device, backend: new WebGpuBackend(device, profile, "test") };
}

function double(): GraphBuilder {
  const builder = new GraphBuilder("double");
  const x = builder.input("x", "float32", [4]);
  builder.output("y", add(x, x));
  return builder;
}

Deno.test("webgpu reports an error of queued work at the stream's next read, once, and goes on", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using other = backend.stream();
  using x = backend.allocate("float32", [4]);
  using y = backend.allocate("float32", [4]);
  stream.write(x, Float32Array.of(1, 2, 3, 4));
  stream.copyRows(x, y, { rows: [[0, 99]], axis: 0, length: 1 });
  other.write(y, Float32Array.of(5, 6, 7, 8));
  // Both reads that are under way are of after the error.
  const reads = [stream.read(x), stream.read(x)];
  for (const read of reads) await assertRejects(() => read, WebGpuError, "Cannot run on the GPU");
  assertEquals([...(await other.read(y)).data], [5, 6, 7, 8]);
  assertEquals([...(await stream.read(x)).data], [1, 2, 3, 4]);
});

Deno.test("webgpu tells that the device was lost, at the next read and at every one after it", async () => {
  const { device, backend } = await open();
  using stream = backend.stream();
  using weights = await backend.open(memorySource());
  using program = await backend.compile(double().build(), weights);
  using x = backend.allocate("float32", [4]);
  using y = backend.allocate("float32", [4]);
  using run = program.bind({ x, y });
  stream.enqueue(run);
  await stream.read(y);
  device.gpu.destroy();
  stream.enqueue(run);
  await assertRejects(() => stream.read(y), DeviceLostError, "lost");
  await assertRejects(() => stream.read(y), DeviceLostError, "lost");
  await assertRejects(() => backend.compile(double().build(), weights), DeviceLostError, "lost");
});

Deno.test("webgpu tells of a kernel that does not compile by the compiler's own line", async () => {
  const { device, backend } = await open();
  await using _ = backend;
  using stream = backend.stream();
  const kernel = {
    label: "broken",
    storages: [],
    writes: [],
    texels: [],
    parameters: [],
    workgroups: () => [1, 1, 1] as const,
  };
  await assertRejects(
    () => device.compile({ ...kernel, code: "fn main( {" }),
    WebGpuError,
    "the kernel broken: line 1",
  );
  const unbound =
    "@group(3) @binding(9) var<storage> x: array<f32>;\n@compute @workgroup_size(1) fn main() { _ = x[0]; }";
  await assertRejects(() => device.compile({ ...kernel, code: unbound }), WebGpuError, "the kernel broken");
  // Other work goes on.
  using x = backend.allocate("float32", [1]);
  assertEquals([...(await stream.read(x)).data], [0]);
});

Deno.test("webgpu's read can be aborted while it waits, and the backend stays usable", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using x = backend.allocate("float32", [4]);
  stream.write(x, Float32Array.of(1, 2, 3, 4));
  const controller = new AbortController();
  using stopped = backend.stream({ signal: controller.signal });
  const reading = stopped.read(x);
  controller.abort(new Error("enough"));
  await assertRejects(() => reading, Error, "enough");
  assertEquals([...(await stream.read(x)).data], [1, 2, 3, 4]);
});

Deno.test("webgpu refuses tensors and runs that were disposed, and what does not fit a buffer", async () => {
  await using backend = await load();
  using stream = backend.stream();
  using weights = await backend.open(memorySource());
  using program = await backend.compile(double().build(), weights);
  using x = backend.allocate("float32", [4]);
  using y = backend.allocate("float32", [4]);
  const run = program.bind({ x, y });
  run[Symbol.dispose]();
  assertThrows(() => stream.enqueue(run), WebGpuError, "disposed");
  assertThrows(() => stream.write(x, new Float32Array(3), 2), ShapeError, "3 elements at 2");
  await assertRejects(() => stream.read(x, { shape: [5] }), ShapeError, "[5]");
  x[Symbol.dispose]();
  assertThrows(() => stream.write(x, new Float32Array(4)), ShapeError, "disposed");
  await assertRejects(() => stream.read(x), ShapeError, "disposed");
});

Deno.test("webgpu runs what is bound also after its program was disposed, and then releases all", async () => {
  await using backend = await load();
  using stream = backend.stream();
  const builder = new GraphBuilder("shift");
  const x = builder.input("x", "float32", [2]);
  builder.output("y", add(x, builder.constant(new Tensor("float32", [2], Float32Array.of(10, 20)))));
  const weights = await backend.open(memorySource());
  const program = await backend.compile(builder.build(), weights);
  const tensors = { x: backend.allocate("float32", [2]), y: backend.allocate("float32", [2]) };
  const run = program.bind(tensors);
  program[Symbol.dispose]();
  assertThrows(() => program.bind(tensors), WebGpuError, "disposed");
  stream.enqueue(run);
  assertEquals([...(await stream.read(tensors.y)).data], [10, 20]);
  for (const object of [run, tensors.x, tensors.y, weights, stream]) object[Symbol.dispose]();
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("webgpu says what to install where there is no adapter", async () => {
  const { gpu } = navigator;
  const request = gpu.requestAdapter;
  gpu.requestAdapter = () => Promise.resolve(null);
  try {
    const { available, reason } = await report();
    assertEquals(available, false);
    assertEquals(reason.includes("mesa-vulkan-drivers"), true);
    await assertRejects(() => load(), BackendError, "mesa-vulkan-drivers");
  } finally {
    gpu.requestAdapter = request;
  }
});

Deno.test("webgpu reads a line with one wait for several tokens, and only tokens leave the device", async () => {
  await using backend = await load();
  await using captioner = await Captioner.load(undefined, { backend });
  const picture = new URL("../../../assets/examples/line.png", import.meta.url);
  await captioner.caption(picture);
  const before = { ...backend.counters };
  const text = await captioner.caption(picture);
  const { waits, bytesRead } = backend.counters;
  // Where two reads are under way, one is of steps after the text's end.
  const ahead = (backend.readsInFlight ?? 1) - 1;
  assertEquals(waits - before.waits <= Math.ceil((text.length + 1) / backend.stepsPerRead) + ahead, true);
  assertEquals(bytesRead - before.bytesRead <= (waits - before.waits) * 4 * 128, true);
});
