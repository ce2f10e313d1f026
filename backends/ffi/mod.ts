/**
 * The ffi backend: libonnxruntime called through Deno FFI. A graph becomes an ONNX model in memory, which ONNX Runtime
 * optimises and runs on the CPU; runs are nonblocking, one after another. `backend: "ffi"` imports it when it is needed.
 *
 * @example
 * ```ts
 * import { load, report } from "@limner/limner/ffi";
 * import { Captioner } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * if ((await report()).available) {
 *   await using captioner = await Captioner.load(undefined, { backend: await load({ threads: 1 }) });
 *   assertEquals(await captioner.caption("assets/examples/date.png"), "2/8/2021");
 * }
 * ```
 *
 * @module
 */
import { BackendError, OrtError } from "../../src/errors/mod.ts";
import type { Backend, BackendDetails, BackendOptions, BackendReport } from "../../src/graph/mod.ts";
import { allOperators, findOperators } from "../onnx/mod.ts";
import { FfiBackend } from "./backend.ts";
import { inspectLibrary } from "./inspect.ts";
import { findLibrary, givenPath, whyNoPackage } from "./library.ts";
import { Runtime } from "./runtime.ts";
import { FfiRuntime } from "./session.ts";

const noFfi = "this runtime has no FFI";
const noPermission = "it needs --allow-ffi";

/**
 * Load ONNX Runtime.
 *
 * @throws {BackendError} If the library cannot be found, is too old, or FFI is not allowed.
 */
export async function load(options: BackendOptions = {}): Promise<Backend> {
  const fail = (reason: string): never => {
    throw new BackendError(`Cannot load the ffi backend: ${reason}`, "ffi");
  };
  if (typeof Deno.dlopen !== "function") fail(noFfi);
  if (options.threads !== undefined && !(Number.isInteger(options.threads) && options.threads > 0)) {
    fail(`threads is ${options.threads}, expected a whole number above 0`);
  }
  // The permission is asked for before the library is looked for, which may be a large download.
  if ((await Deno.permissions.request({ name: "ffi" })).state !== "granted") fail(noPermission);
  const runtime = Runtime.open(await findLibrary(options), options);
  const threads = options.threads ?? navigator.hardwareConcurrency;
  // The package's library is known; a person's may be older, or built without some operators.
  const operators = givenPath(options) ? await findOperators((bytes) => compiles(runtime, bytes)) : allOperators;
  return new FfiBackend(runtime, `CPU, ${threads} threads`, operators);
}

/** Whether a library compiles a model. */
async function compiles(runtime: Runtime, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const session = await new FfiRuntime(runtime).createSession(bytes, { name: "a small model" });
    session.release();
    return true;
  } catch (error) {
    if (error instanceof OrtError) return false;
    throw error;
  }
}

/**
 * The library with its version and providers; it is downloaded if needed.
 *
 * @throws {BackendError} If it cannot be found, or FFI is not allowed.
 */
export async function inspect(options: BackendOptions = {}): Promise<BackendDetails> {
  const { available, reason } = await report(options);
  if (!available) throw new BackendError(`Cannot inspect the ffi backend: ${reason}`, "ffi");
  return inspectLibrary(await findLibrary(options));
}

/** Whether the backend could be loaded; nothing is downloaded to find out. */
export function report(options: BackendOptions = {}): Promise<BackendReport> {
  const answer = (reason: string): BackendReport => ({
    name: "ffi",
    available: reason === "",
    device: reason === "" ? `CPU, ${options.threads ?? navigator.hardwareConcurrency} threads` : "",
    reason,
  });
  if (typeof Deno.dlopen !== "function") return Promise.resolve(answer(noFfi));
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return Promise.resolve(answer(noPermission));
  }
  const given = givenPath(options);
  if (given !== undefined) {
    try {
      if (!Deno.statSync(given).isFile) return Promise.resolve(answer(`${given} is not a file`));
    } catch (error) {
      return Promise.resolve(answer((error as Error).message));
    }
  }
  return Promise.resolve(answer(given === undefined ? whyNoPackage() : ""));
}
