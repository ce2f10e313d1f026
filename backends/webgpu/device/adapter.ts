// Finding a device and the profile that suits it. Subgroups are tried, since adapters may have and hide them.
import { BackendError } from "../../../src/errors/mod.ts";
import type { BackendDetails } from "../../../src/graph/mod.ts";
import { Device } from "./device.ts";
import { type Profile, profiles } from "./profile.ts";

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
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "minUniformBufferOffsetAlignment",
    "minStorageBufferOffsetAlignment",
  ] as const;
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}

async function request(adapter: GPUAdapter, features: string[]): Promise<GPUDevice> {
  const requiredFeatures = features as GPUFeatureName[];
  return await adapter.requestDevice({ requiredFeatures, requiredLimits: limitsOf(adapter) });
}

/**
 * Open a device.
 *
 * @param wanted A profile instead of the one that suits the adapter; its subgroups must be there.
 * @throws {BackendError} If the adapter gives no device.
 */
export async function openDevice(
  adapter: GPUAdapter,
  wanted?: Profile,
): Promise<{ device: Device; profile: Profile }> {
  const software = isSoftware(adapter);
  const needsSubgroups = wanted ? wanted.broadcasts : software;
  if (needsSubgroups) {
    try {
      const gpu = await request(adapter, ["subgroups"]);
      if (await lanesInOrder(gpu)) return { device: new Device(gpu), profile: wanted ?? profiles.soft };
      gpu.destroy();
    } catch {
      // Without the feature the request is refused: the kernels that need none follow.
    }
    if (wanted) {
      throw new BackendError(`Cannot use the profile ${wanted.name}: the device has no subgroups of 8`, "webgpu");
    }
    adapter = await findAdapter() ?? adapter;
  }
  try {
    const gpu = await request(adapter, []);
    return { device: new Device(gpu), profile: wanted ?? (software ? profiles["soft-nosg"] : profiles.gpu) };
  } catch (error) {
    throw new BackendError(`Cannot open ${nameOf(adapter)}: ${(error as Error).message}`, "webgpu", { cause: error });
  }
}

/** Whether a workgroup of 8 is one subgroup and its lanes are numbered as invocations. */
async function lanesInOrder(gpu: GPUDevice): Promise<boolean> {
  const code = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) place: vec3u) {
  let own = lane + 8u * place.x + 100u;
  results[place.x * 8u + lane] = subgroupBroadcast(own, 0u) + 1000u * subgroupBroadcast(own, 5u) + 1000000u * subgroupAdd(1u);
}`;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const [results, staging] = [usage, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST].map((usage) =>
    gpu.createBuffer({ size: 64, usage })
  );
  gpu.pushErrorScope("validation");
  const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module: gpu.createShaderModule({ code }) } });
  const group = gpu.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: results } }],
  });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(2);
  pass.end();
  encoder.copyBufferToBuffer(results, 0, staging, 0, 64);
  gpu.queue.submit([encoder.finish()]);
  if (await gpu.popErrorScope()) return false;
  await staging.mapAsync(GPUMapMode.READ);
  const found = new Uint32Array(staging.getMappedRange().slice(0));
  for (const buffer of [results, staging]) buffer.destroy();
  return found.every((value, i) => {
    const first = 100 + (i >> 3) * 8;
    return value === first + 1000 * (first + 5) + 8_000_000;
  });
}
