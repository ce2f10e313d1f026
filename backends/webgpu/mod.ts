/**
 * The WebGPU backend: WGSL kernels on `navigator.gpu`, on a GPU or on a driver that computes on the CPU. `backend: "webgpu"`
 * imports it when it is needed; import it yourself where it should come with your own code, as into a bundle.
 *
 * @example
 * ```ts
 * import { load, report } from "@limner/limner/webgpu";
 * import { Captioner } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * if ((await report()).available) {
 *   await using captioner = await Captioner.load(undefined, { backend: await load() });
 *   assertEquals(await captioner.caption("assets/examples/date.png"), "2/8/2021");
 * }
 * ```
 *
 * @module
 */
import type { Backend, BackendDetails, BackendOptions, BackendReport } from "../../src/graph/mod.ts";
import { BackendError } from "../../src/errors/mod.ts";
import { detailsOf, findAdapter, isSoftware, nameOf, openDevice } from "./device/adapter.ts";
import type { Device } from "./device/device.ts";
import { whyNone } from "./device/missing_driver.ts";
import { tuned } from "./tuning/tune.ts";
import { TuningFile } from "./tuning/tuning_file.ts";
import { WebGpuBackend } from "./backend.ts";
import { type ProfileName, profiles } from "./device/profile.ts";

export type { ProfileName } from "./device/profile.ts";

/**
 * Load the WebGPU backend.
 *
 * @param options Where kernels and their times are written to, if they are to be looked at.
 * @throws {BackendError} If there is no adapter; it says what of the driver is missing.
 */
export function load(options: BackendOptions = {}): Promise<Backend> {
  return loadWithProfile(undefined, options);
}

/**
 * Load the backend with kernels shaped for another kind of device than the one there is.
 *
 * @param name The profile. @default the one that suits the device
 * @param options.maxBinding The most bytes of one binding, less than the device's. @default the device's
 * @param options.without Features of WebGPU that are not asked for, as if the device had none of them. @default none
 * @throws {BackendError} If there is no adapter, or it lacks what the profile needs.
 */
export async function loadWithProfile(
  name?: ProfileName,
  options: Pick<BackendOptions, "debugFolder" | "autotune"> & {
    readonly maxBinding?: number;
    readonly without?: readonly string[];
  } = {},
): Promise<Backend> {
  const adapter = await findAdapter();
  if (!adapter) throw new BackendError(`Cannot load the backend "webgpu": ${await whyNone()}`, "webgpu");
  const limited = (device: Device): Device => {
    device.maxBinding = Math.min(device.maxBinding, options.maxBinding ?? Infinity);
    return device;
  };
  const { device, profile: plain } = await openDevice(adapter, name && profiles[name], options.without);
  // Another device's shapes are asked for as they are.
  const profile = options.autotune ?? name === undefined
    ? await tuned(limited(device), plain, { key: keyOf(adapter), file: await TuningFile.ofUser() })
    : plain;
  return new WebGpuBackend(limited(device), profile, nameOf(adapter), {
    debugFolder: options.debugFolder,
    reopen: async () => limited((await openDevice(await findAdapter() ?? adapter, profile, options.without)).device),
  });
}

/** What is known of an adapter. */
function keyOf({ info: { vendor, architecture, device, description } }: GPUAdapter): string {
  return [vendor, architecture, device, description].join("; ");
}

/**
 * The adapter with its features and limits.
 *
 * @throws {BackendError} If there is none.
 */
export async function inspect(_options?: BackendOptions): Promise<BackendDetails> {
  const adapter = await findAdapter();
  if (!adapter) throw new BackendError(`Cannot inspect the backend "webgpu": ${await whyNone()}`, "webgpu");
  return detailsOf(adapter);
}

/** Whether WebGPU can run here, and on what. */
export async function report(_options?: BackendOptions): Promise<BackendReport> {
  const adapter = await findAdapter();
  if (!adapter) return { name: "webgpu", available: false, device: "", reason: await whyNone() };
  return { name: "webgpu", available: true, device: nameOf(adapter), reason: "", software: isSoftware(adapter) };
}
