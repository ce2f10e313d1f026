// The bind groups of a program. Making one takes as long as recording ten dispatches, and what hangs on it is freed only
// when V8 collects it; so those for the buffers of the last uses are kept, and a use with the same ones makes none.
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { Device } from "../device/device.ts";
import type { Dispatch } from "../kernels/shader.ts";

/** Groups of one dispatch that are kept: a generation has a few, one for each number of rows it goes on with. */
const kept = 16;

interface Known {
  readonly resources: readonly GPUBufferBinding[];
  readonly group: GPUBindGroup;
}

function isSame(a: GPUBufferBinding, b: GPUBufferBinding): boolean {
  return a.buffer === b.buffer && a.offset === b.offset && a.size === b.size;
}

/** Finds or makes bind groups. */
export class Groups {
  /** Of each dispatch, the one used last at the end. */
  readonly #known = new Map<Dispatch, Known[]>();

  constructor(readonly device: Device) {}

  /** The group of a dispatch with a resource for each of its storages. */
  find(dispatch: Dispatch, layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    let known = this.#known.get(dispatch);
    if (!known) this.#known.set(dispatch, known = []);
    const at = known.findIndex((one) => one.resources.every((resource, i) => isSame(resource, resources[i])));
    const found = at < 0 ? { resources, group: this.#make(dispatch, layout, resources) } : known.splice(at, 1)[0];
    if (known.push(found) > kept) known.shift();
    return found.group;
  }

  #make(dispatch: Dispatch, layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    const { gpu, queue } = this.device;
    const { label, parameters } = dispatch;
    const most = gpu.limits.maxStorageBufferBindingSize;
    for (const { buffer, size = buffer.size } of resources) {
      if (size <= most) continue;
      throw new WebGpuError(`Cannot bind a tensor of ${label}: it has ${size} bytes, the device takes ${most} at once`);
    }
    const parameterBytes = Math.max(1, Math.ceil(parameters.length / 4)) * 16;
    const all = [{ buffer: queue.ring, size: parameterBytes }, ...resources];
    const entries = all.map((resource, binding) => ({ binding, resource }));
    return this.device.making(() => gpu.createBindGroup({ label, layout, entries }));
  }
}
