// Backends by name. Each is imported only when it is asked for, so an edge script never loads FFI.
import { BackendError } from "../src/errors/mod.ts";
import type {
  Backend,
  BackendDetails,
  BackendModule,
  BackendName,
  BackendOptions,
  BackendReport,
} from "../src/graph/mod.ts";
import { mayHaveGpu } from "./measured/graphics_devices.ts";

export { mayHaveGpu };

const modules: Readonly<Partial<Record<BackendName, () => Promise<BackendModule>>>> = {
  ffi: () => import("./ffi/mod.ts"),
  webgpu: () => import("./webgpu/mod.ts"),
  wasm: () => import("./wasm/mod.ts"),
  reference: () => import("./reference/mod.ts"),
};

/** The names of the backends there are. */
export const backendNames: readonly BackendName[] = Object.keys(modules) as BackendName[];

/** The backends that "auto" tries, in this order, but for a GPU in software, which comes last. Where the first runs, a real GPU
 * is taken for it if the model is known and is estimated to be faster there (choose_faster.ts). */
export const automatic: readonly BackendName[] = ["ffi", "webgpu", "wasm"];

function moduleOf(name: BackendName): Promise<BackendModule> {
  const load = Object.hasOwn(modules, name) ? modules[name] : undefined;
  if (!load) {
    throw new BackendError(`Cannot load the backend "${name}": expected one of ${backendNames.join(", ")}`, name);
  }
  return load();
}

/**
 * Whether each backend can run on this machine, and how fast, as far as "auto" has measured it.
 *
 * @param options.work What the estimated times are of. @default a small model and a large one
 * @returns A report for each backend, for a person to read.
 */
export async function availableBackends(options: BackendOptions = {}): Promise<BackendReport[]> {
  const { describeSpeeds } = await import("./measured/speeds.ts");
  const reports = await Promise.all(backendNames.map(async (name) => (await moduleOf(name)).report(options)));
  return await describeSpeeds(reports, await options.work?.());
}

/**
 * What a backend runs on, for a person to read; a library that it needs is downloaded for it.
 *
 * @throws {BackendError} If it cannot run here.
 */
export async function inspectBackend(name: BackendName, options: BackendOptions = {}): Promise<BackendDetails> {
  return await (await moduleOf(name)).inspect(options);
}

/**
 * Load a backend.
 *
 * @param name A backend, which runs or fails with the reason, never another; or "auto": ffi, else a real GPU,
 * else wasm, else a GPU in software; a real GPU instead of ffi where the model's `work` is given, as loading a model gives it, and
 * is estimated to take less time there. Where a device is named, "auto" is ffi. @default "auto"
 * @param options Threads and the path of the library (ffi).
 * @throws {BackendError} If it cannot run here; for "auto", if none can.
 */
export async function loadBackend(name: BackendName | "auto" = "auto", options: BackendOptions = {}): Promise<Backend> {
  const { device } = options;
  if (device !== undefined) {
    if (name !== "auto" && name !== "ffi") {
      throw new BackendError(
        `Cannot load the backend "${name}" for the device "${device}": a device is what the ffi backend runs on`,
        name,
      );
    }
    name = "ffi";
  }
  if (name !== "auto") return await (await moduleOf(name)).load(options);
  const { work, autotune = true, onChoice } = options;
  const first = await loadFirst(automatic, options, moduleOf);
  if (first.name !== "ffi" || !work || !autotune) {
    onChoice?.(`${first.name}, the first that runs here`);
    return first;
  }
  if (!await mayHaveGpu()) {
    onChoice?.("ffi, as there is no GPU");
    return first;
  }
  const { chooseFaster } = await import("./choose_faster.ts");
  return await chooseFaster(first, { ...options, work }, { module: () => moduleOf("webgpu") });
}

/**
 * Load the first backend that runs here, a GPU in software after all others. Those after it are not even imported.
 *
 * @param names Backends, the preferred first.
 * @param moduleOf Gives a backend's module.
 * @throws {BackendError} If none can run, with the reason of each.
 */
export async function loadFirst(
  names: readonly BackendName[],
  options: BackendOptions,
  moduleOf: (name: BackendName) => Promise<BackendModule>,
): Promise<Backend> {
  const reasons: string[] = [];
  const load = async (name: BackendName, module: BackendModule): Promise<Backend | undefined> => {
    try {
      return await module.load(options);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      reasons.push(`${name}: ${error.message}`);
    }
  };
  const postponed: [BackendName, BackendModule][] = [];
  for (const name of names) {
    const module = await moduleOf(name);
    // A report asks for no permission and downloads nothing, and so cannot know whether loading will succeed.
    const { available, reason, software } = await module.report(options);
    if (!available) reasons.push(`${name}: ${reason}`);
    else if (software) postponed.push([name, module]);
    else {
      const backend = await load(name, module);
      if (backend) return backend;
    }
  }
  for (const [name, module] of postponed) {
    const backend = await load(name, module);
    if (backend) return backend;
  }
  throw new BackendError(
    `Cannot find a backend: ${
      reasons.join("; ")
    }; the slow "reference" backend runs everywhere and must be asked for ` +
      `by name`,
    "auto",
  );
}
