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
import { allOperators } from "../onnx/mod.ts";
import { FfiBackend } from "./backend.ts";
import { checkProvider, type Device, deviceError, deviceOf, devicesOf } from "./device/device.ts";
import type { DeviceMemory } from "./device/device_memory.ts";
import { inspectLibrary } from "./inspect.ts";
import { findLibrary, givenPath, packageDevices, whyNoPackage } from "./library.ts";
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
  const ffi = { name: "ffi" } as const;
  const { state } = Deno.permissions.querySync(ffi);
  if (state !== "granted" && (await Deno.permissions.request(ffi)).state !== "granted") fail(noPermission);
  const device = deviceOf(options.device);
  const runtime = Runtime.open(await findLibrary(options), options);
  try {
    return await startBackend(runtime, device, options);
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

async function startBackend(runtime: Runtime, device: Device, options: BackendOptions): Promise<Backend> {
  if (device.memory) await runtime.ready;
  const memory = device.memory && await openDevice(runtime, device);
  const label = memory ? `${device.name} of ONNX Runtime ${runtime.version}` : cpuLabel(options);
  // The package's library on a CPU is known; a person's may be older, or built without some operators.
  const known = !memory && givenPath(options) === undefined;
  const find = async () => {
    const { findOperators } = await import("../onnx/find_operators.ts");
    return await findOperators((bytes) => compiles(new FfiRuntime(runtime, memory), bytes));
  };
  const found = known ? allOperators : await find();
  const operators = new Set([...found].filter((operator) => !device.lacks?.includes(operator)));
  return new FfiBackend(runtime, label, operators, undefined, memory);
}

/**
 * Set up a device.
 *
 * @throws {BackendError} If the library has no provider for it, or the provider does not find what it needs.
 */
async function openDevice(runtime: Runtime, device: Device): Promise<DeviceMemory> {
  checkProvider(device, runtime);
  const { DeviceMemory } = await import("./device/device_memory.ts");
  try {
    return new DeviceMemory(runtime, device);
  } catch (error) {
    throw error instanceof OrtError ? deviceError(device, runtime, error) : error;
  }
}

function cpuLabel({ threads = navigator.hardwareConcurrency }: BackendOptions): string {
  return `CPU, ${threads} threads`;
}

/** Whether a library compiles a model. */
async function compiles(runtime: FfiRuntime, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const session = await runtime.createSession(bytes, { name: "a small model" });
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

/** What can be asked for as a device: what a library that is given says, and what is known of the package's. */
function devicesHere(options: BackendOptions): readonly string[] {
  const given = givenPath(options);
  if (given === undefined) return packageDevices();
  try {
    return devicesOf(inspectLibrary(given).providers as string[]);
  } catch {
    return []; // loading it says why
  }
}

/** Whether the backend could be loaded; nothing is downloaded to find out. */
export function report(options: BackendOptions = {}): Promise<BackendReport> {
  const answer = (reason: string): BackendReport => ({
    name: "ffi",
    available: reason === "",
    device: reason === "" ? cpuLabel(options) : "",
    reason,
    ...(reason === "" && { devices: devicesHere(options) }),
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
