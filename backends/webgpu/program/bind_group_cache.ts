// A cache of a program's bind groups. Making a bind group takes as long as recording ten dispatches, and its memory is freed
// only when V8 collects it; so the most recently used ones are kept, and a run with the same buffers makes none.
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { Device } from "../device/device.ts";
import { Texels } from "../device/texels.ts";
import type { Dispatch } from "../kernels/shader.ts";

/** How many bind groups of one dispatch are kept: a generation needs a few, one for each number of rows it continues with. */
const keptPerDispatch = 16;

/** What a storage is bound to. */
export type Resource = GPUBufferBinding | Texels;

interface KnownGroup {
  readonly resources: readonly Resource[];
  readonly group: GPUBindGroup;
}

function isSame(a: Resource, b: Resource): boolean {
  if (a instanceof Texels || b instanceof Texels) return a === b;
  return a.buffer === b.buffer && a.offset === b.offset && a.size === b.size;
}

/** Finds or makes bind groups, of the dispatches of one program. */
export class BindGroupCache {
  /** The groups of each dispatch, the most recently used last. */
  readonly #known = new Map<Dispatch, KnownGroup[]>();

  constructor(readonly device: Device) {}

  /** The group of a dispatch with a resource for each of its storages. */
  find(dispatch: Dispatch, layout: GPUBindGroupLayout, resources: readonly Resource[]): GPUBindGroup {
    let known = this.#known.get(dispatch);
    if (!known) this.#known.set(dispatch, known = []);
    const at = known.findIndex((one) => one.resources.every((resource, i) => isSame(resource, resources[i])));
    const found = at < 0 ? { resources, group: this.#make(dispatch, layout, resources) } : known.splice(at, 1)[0];
    if (known.push(found) > keptPerDispatch) known.shift();
    return found.group;
  }

  #make(dispatch: Dispatch, layout: GPUBindGroupLayout, resources: readonly Resource[]): GPUBindGroup {
    const { gpu, queue } = this.device;
    const { label, parameters } = dispatch;
    const most = this.device.maxBinding;
    for (const resource of resources) {
      if (resource instanceof Texels) continue;
      const { buffer, size = buffer.size } = resource;
      if (size <= most) continue;
      throw new WebGpuError(`Cannot bind a tensor of ${label}: it has ${size} bytes, the device takes ${most} at once`);
    }
    const parameterBytes = Math.max(1, Math.ceil(parameters.length / 4)) * 16;
    const all = [{ buffer: queue.ring, size: parameterBytes }, ...resources];
    const entries = all.map((resource, binding) => (
      { binding, resource: resource instanceof Texels ? resource.view : resource }
    ));
    return this.device.making(() => gpu.createBindGroup({ label, layout, entries }));
  }
}
