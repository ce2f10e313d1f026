// Backends by name. Each is imported only when it is asked for, so an edge script never loads FFI.
import { BackendError } from "./errors.ts";
import type { Backend, BackendModule, BackendName, BackendOptions, BackendReport } from "./graph/mod.ts";

const modules: Readonly<Partial<Record<BackendName, () => Promise<BackendModule>>>> = {
  webgpu: () => import("../backends/webgpu/mod.ts"),
  ffi: () => import("../backends/ffi/mod.ts"),
  reference: () => import("../backends/reference/mod.ts"),
};

/** The names of the backends there are. */
export const backendNames: readonly BackendName[] = Object.keys(modules) as BackendName[];

function moduleOf(name: BackendName): Promise<BackendModule> {
  const load = Object.hasOwn(modules, name) ? modules[name] : undefined;
  if (!load) {
    throw new BackendError(`Cannot load the backend "${name}": expected one of ${backendNames.join(", ")}`, name);
  }
  return load();
}

/**
 * What each backend says of this machine.
 *
 * @returns A report a backend, for a person to read.
 */
export async function availableBackends(options: BackendOptions = {}): Promise<BackendReport[]> {
  return await Promise.all(backendNames.map(async (name) => (await moduleOf(name)).report(options)));
}

/**
 * Load a backend.
 *
 * @param name A backend, which runs or fails with the reason, never another; or "auto": a real GPU, else ffi, else a
 * software GPU.
 * @param options Threads and the path of the library (ffi).
 * @throws {BackendError} If it cannot run here.
 */
export async function loadBackend(name: BackendName | "auto" = "auto", options: BackendOptions = {}): Promise<Backend> {
  if (name !== "auto") return await (await moduleOf(name)).load(options);
  const [gpu, ffi] = [await moduleOf("webgpu"), await moduleOf("ffi")];
  const gpuReport = await gpu.report(options);
  if (gpuReport.available && !gpuReport.software) return await gpu.load(options);
  const ffiReport = await ffi.report(options);
  if (ffiReport.available) return await ffi.load(options);
  if (gpuReport.available) return await gpu.load(options);
  throw new BackendError(
    `Cannot find a backend: webgpu: ${gpuReport.reason}; ffi: ${ffiReport.reason}; ` +
      `the slow "reference" backend runs everywhere and must be asked for by name`,
    "auto",
  );
}
