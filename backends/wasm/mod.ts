/**
 * The wasm backend: ONNX Runtime in WebAssembly, from the npm package onnxruntime-web, for places with neither FFI nor a GPU.
 * It needs no permission, computes on the thread that asks for it, and holds weights in its memory of up to 4 GB.
 * `backend: "wasm"` imports it when it is needed.
 *
 * @example
 * ```ts
 * import { load } from "@limner/limner/wasm";
 * import { Captioner } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load(undefined, { backend: await load() });
 * assertEquals(await captioner.caption("assets/examples/date.png"), "2/8/2021");
 * ```
 *
 * @module
 */
import type { Backend, BackendDetails, BackendOptions, BackendReport } from "../../src/graph/mod.ts";
import { packageName } from "../../src/packages/onnxruntime_web.ts";
import { WasmBackend } from "./backend.ts";
import { startOrt } from "./ort_module.ts";
import { WasmRuntime } from "./wasm_runtime.ts";

/**
 * Load ONNX Runtime, downloading its package if it must.
 *
 * @throws {BackendError} If the package is not to be had.
 */
export async function load(_options?: BackendOptions): Promise<Backend> {
  return new WasmBackend(new WasmRuntime(await startOrt()));
}

/**
 * The package; it is downloaded if needed.
 *
 * @throws {BackendError} If it is not to be had.
 */
export async function inspect(_options?: BackendOptions): Promise<BackendDetails> {
  await startOrt();
  return { library: packageName, threads: 1 };
}

/** Whether the backend could be loaded; nothing is downloaded to find out. */
export function report(_options?: BackendOptions): Promise<BackendReport> {
  const available = typeof WebAssembly === "object";
  return Promise.resolve({
    name: "wasm",
    available,
    device: available ? "WebAssembly, 1 thread" : "",
    reason: available ? "" : "this runtime has no WebAssembly",
  });
}
