import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { FfiBackend } from "../../../backends/ffi/backend.ts";
import { boundCpu, checkProvider, deviceError, deviceOf, devicesOf } from "../../../backends/ffi/device/device.ts";
import { DeviceMemory } from "../../../backends/ffi/device/device_memory.ts";
import { findLibrary } from "../../../backends/ffi/library.ts";
import { load, report } from "../../../backends/ffi/mod.ts";
import { Runtime } from "../../../backends/ffi/runtime.ts";
import { availableBackends, loadBackend } from "../../../backends/load_backend.ts";
import { BackendError, OrtError } from "../../../src/errors/mod.ts";
import type { DeviceName } from "../../../src/graph/mod.ts";
import { memorySource } from "../../conformance/execute.ts";

/** What messages need of a library. */
const library = {
  libraryPath: "/opt/libonnxruntime.so",
  version: "1.30.0",
  availableProviders: () => ["CPUExecutionProvider"],
} as unknown as Runtime;

/** What is said of a device that could not be set up for a reason of ONNX Runtime's. */
const said = (device: string, reason: string) =>
  deviceError(deviceOf(device), library, new OrtError(reason, 1)).message;

Deno.test("a device is cpu, cuda, one of several, or webgpu", () => {
  assertEquals(deviceOf().memory, undefined);
  assertEquals(deviceOf("cuda").memory, { name: "Cuda", id: 0, hasAddresses: true });
  assertEquals(deviceOf("cuda:3").memory?.id, 3);
  assertEquals(deviceOf("webgpu").memory?.hasAddresses, false);
  for (const wrong of ["tpu", "cuda:", "cuda:x", "cuda:-1", "CUDA", ""]) {
    assertThrows(() => deviceOf(wrong), BackendError, `device is "${wrong}", expected cpu, cuda, cuda:1`);
  }
  assertEquals(devicesOf(["WebGpuExecutionProvider", "CPUExecutionProvider"]), ["cpu", "webgpu"]);
});

Deno.test("a library without a provider is named, with what it has and where one is to be had", () => {
  const message = assertThrows(() => checkProvider(deviceOf("cuda:1"), library), BackendError).message;
  for (
    const part of [
      "/opt/libonnxruntime.so (ONNX Runtime 1.30.0)",
      '"cuda:1"',
      "CPUExecutionProvider",
      "onnxruntime-gpu",
    ]
  ) {
    assertStringIncludes(message, part);
  }
});

Deno.test("a file that a provider does not find is named, with its version and what it is a part of", () => {
  const failed = (file: string) =>
    `Cannot add the CUDA provider: ONNX Runtime says: Failed to load library libonnxruntime_providers_cuda.so with error: ` +
    `${file}: cannot open shared object file: No such file or directory`;
  assertStringIncludes(said("cuda", failed("libcudnn.so.9")), "libcudnn.so.9 is not found: it is a part of cuDNN 9;");
  assertStringIncludes(
    said("cuda", failed("libcublasLt.so.12")),
    "libcublasLt.so.12 is not found: it is a part of CUDA 12;",
  );
  assertStringIncludes(said("cuda", failed("libcuda.so.1")), "libcuda.so.1 is not found: it is NVIDIA's driver's;");
  assertStringIncludes(said("cuda", failed("libodd.so.4")), "libodd.so.4 is not found; ");
  assertStringIncludes(
    said("cuda:1", "CUDA failure 35: the driver is too old"),
    'device "cuda:1": /opt/libonnxruntime.so',
  );
  assertStringIncludes(said("webgpu", "Failed to get a WebGPU adapter"), "the system has no GPU driver that it takes");
});

Deno.test("the package's library says which of CUDA's files it does not find", async () => {
  const error = await assertRejects(() => load({ device: "cuda" }), BackendError);
  assertMatch(error.message, /device "cuda": (?:\S+ is not found: .*onnxruntime-gpu|.*has no provider)/);
  assertStringIncludes(error.message, "ONNX Runtime 1.");
});

Deno.test("a device is of the ffi backend, and is not chosen silently", async () => {
  await assertRejects(
    () => loadBackend("wasm", { device: "cuda" }),
    BackendError,
    "a device is what the ffi backend runs on",
  );
  await assertRejects(() => loadBackend("auto", { device: "gpu" as DeviceName }), BackendError, 'device is "gpu"');
  await using backend = await loadBackend("auto", { device: "cpu" });
  assertEquals(backend.name, "ffi");
});

Deno.test("reports list the devices of a library that is given, and those known of the package's", async () => {
  const given = await report({ libraryPath: await findLibrary({}) });
  assert(given.devices?.includes("cpu"), `${given.devices}`);
  const ffi = (await availableBackends()).find(({ name }) => name === "ffi")!;
  assertEquals(ffi.devices?.[0], "cpu");
});

Deno.test("weights of a device are float32, and everything on it is given back", async () => {
  const runtime = Runtime.open(await findLibrary({}), {});
  await runtime.ready;
  await using backend = new FfiBackend(runtime, "bound", undefined, undefined, new DeviceMemory(runtime, boundCpu));
  for (const storage of ["q8", "float16"] as const) {
    assertThrows(
      () => backend.open(memorySource(), { storage }),
      BackendError,
      `as ${storage} on the device "cpu, bound"`,
    );
  }
  {
    using buffer = backend.allocate("float32", [3, 4]);
    using stream = backend.stream();
    stream.write(buffer, Float32Array.of(1, 2), 5);
    const { data } = await stream.read(buffer);
    assertEquals([...data], [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0]);
    assertEquals(backend.counters.deviceBytes, 48);
  }
  assertEquals(backend.counters.liveHandles, 0);
  assertEquals(backend.counters.deviceBytes, 0);
});

/** How long the WebGPU provider may take to compute or to say why not, in ms. A GPU's driver once gave no answer at all. */
const patience = 60_000;

Deno.test("the WebGPU provider computes or says why not, in a process of its own", async () => {
  const script = `
    import { load } from "${new URL("../../../backends/ffi/mod.ts", import.meta.url)}";
    import { Captioner } from "${new URL("../../../mod.ts", import.meta.url)}";
    try {
      const backend = await load({ device: "webgpu" });
      const captioner = await Captioner.load(undefined, { backend });
      console.log(JSON.stringify({ text: await captioner.caption("assets/examples/date.png") }));
    } catch (error) {
      console.log(JSON.stringify({ message: error.message, name: error.name }));
    }
    Deno.exit(0);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "data:text/typescript," + encodeURIComponent(script)],
    signal: AbortSignal.timeout(patience),
    stderr: "null",
  }).output();
  assertEquals(code, 0, "it ended in time, and did not crash");
  const { text, name, message } = JSON.parse(new TextDecoder().decode(stdout).trim().split("\\n").at(-1)!);
  if (text !== undefined) assertEquals(text, "2/8/2021");
  else {
    assertEquals(name, "BackendError");
    assertMatch(message, /device "webgpu"/);
  }
});
