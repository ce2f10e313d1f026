// Finding a device and the profile that suits it. Subgroups are tried, since adapters may have and hide them.
import { BackendError } from "../../../src/errors/mod.ts";
import type { BackendDetails } from "../../../src/graph/mod.ts";
import { Device } from "./device.ts";
import { forVendor, type Profile, profiles } from "./profile.ts";
import { reducingSubgroups, subgroupsOf8 } from "./subgroup_tests.ts";

/** The fastest adapter: a real GPU is preferred to one in software; undefined where there is none. */
export async function findAdapter(): Promise<GPUAdapter | undefined> {
  try {
    return await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The adapter's name, for a person to read. */
export function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(" ") || "GPU";
}

/** What an adapter reports about itself. */
export function detailsOf({ info, features, limits }: GPUAdapter): BackendDetails {
  const names = ["maxBufferSize", "maxStorageBufferBindingSize", "maxComputeWorkgroupStorageSize"] as const;
  return {
    ...Object.fromEntries(
      (["vendor", "architecture", "device", "description"] as const)
        .filter((key) => info[key]).map((key) => [key, info[key]]),
    ),
    features: [...features].sort(),
    ...Object.fromEntries(names.map((name) => [name, limits[name]])),
  };
}

/** Whether the adapter computes on the CPU. */
export function isSoftware({ info }: GPUAdapter): boolean {
  const { isFallbackAdapter } = info as GPUAdapterInfo & { isFallbackAdapter?: boolean };
  const name = `${info.description} ${info.architecture}`; // browsers keep the description to themselves
  return isFallbackAdapter === true || /llvmpipe|lavapipe|swiftshader|software|basic render/i.test(name);
}

/** The limits that are requested of the device: the adapter's own. */
function limitsOf({ limits }: GPUAdapter): Record<string, number> {
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxStorageTexturesPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxTextureDimension2D",
    "minUniformBufferOffsetAlignment",
    "minStorageBufferOffsetAlignment",
  ] as const;
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}

/** Features that are used where they are granted, the most useful first; not all adapters list what they grant, so all are asked for. */
const wantedFeatures = ["subgroups", "shader-f16", "timestamp-query"];

/** Lists of features without those that are refused, the best list first. */
function selections([first, ...rest]: readonly string[]): string[][] {
  if (first === undefined) return [[]];
  const others = selections(rest);
  return [...others.map((list) => [first, ...list]), ...others];
}

/**
 * A device with as many of the wanted features as are granted. An adapter may give one device only, so another is found for
 * each request.
 */
async function request(adapter: GPUAdapter, without: readonly string[]): Promise<GPUDevice> {
  let refusal: unknown;
  for (const features of selections(wantedFeatures.filter((feature) => !without.includes(feature)))) {
    try {
      const from = refusal ? await findAdapter() ?? adapter : adapter;
      const requiredFeatures = features as GPUFeatureName[];
      return await from.requestDevice({ requiredFeatures, requiredLimits: limitsOf(from) });
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/**
 * Open a device.
 *
 * @param wanted A profile instead of the one that suits the adapter; its subgroups must be there.
 * @param without Features that are not asked for.
 * @throws {BackendError} If the adapter gives no device.
 */
export async function openDevice(
  adapter: GPUAdapter,
  wanted?: Profile,
  without: readonly string[] = [],
): Promise<{ device: Device; profile: Profile }> {
  let gpu: GPUDevice;
  try {
    gpu = await request(adapter, without);
  } catch (error) {
    throw new BackendError(`Cannot open ${nameOf(adapter)}: ${(error as Error).message}`, "webgpu", { cause: error });
  }
  const { profile, enabling } = await choose(gpu, isSoftware(adapter), wanted);
  const suited = wanted ?? forVendor(profile, adapter.info.vendor);
  const float16 = suited.float16 && gpu.features.has("shader-f16");
  return { device: new Device(gpu, enabling), profile: { ...suited, float16 } };
}

/** The profile that suits a device, and what its kernels with subgroups begin with. */
async function choose(
  gpu: GPUDevice,
  software: boolean,
  wanted: Profile | undefined,
): Promise<{ profile: Profile; enabling: string }> {
  const has = gpu.features.has("subgroups" as GPUFeatureName);
  const [best, plain] = software ? [profiles.soft, profiles["soft-nosg"]] : [profiles["gpu-sg"], profiles.gpu];
  const profile = wanted ?? best;
  if (!profile.broadcasts && !profile.subgroups) return { profile, enabling: "" };
  const enabling = has ? await (profile.broadcasts ? subgroupsOf8(gpu) : reducingSubgroups(gpu)) : undefined;
  if (enabling !== undefined) return { profile, enabling };
  if (!wanted) return { profile: plain, enabling: "" };
  gpu.destroy();
  const what = profile.broadcasts ? "no subgroups of 8" : "no subgroups that can reduce values";
  throw new BackendError(`Cannot use the profile ${profile.name}: the device has ${what}`, "webgpu");
}
