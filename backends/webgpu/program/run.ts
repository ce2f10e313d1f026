// One use of a program. Binding fixes the buffers and bind groups; an execution only records dispatches.
import { WebGpuError } from "../../../src/errors/mod.ts";
import { type Binding, type BoundTensor, type Run, type Sizes, sizesOfRun } from "../../../src/graph/mod.ts";
import type { Tensor } from "../../../src/tensor/mod.ts";
import type { Lease } from "../device/buffer_pool.ts";
import type { GpuTensor } from "../device/gpu_tensor.ts";
import type { Texels } from "../device/texels.ts";
import type { BindGroupCache, Resource } from "./bind_group_cache.ts";
import { bindingOf, byteOffset, bytesOf, copiedBytes, namesNeedingOwnMemory } from "./bound_memory.ts";
import type { CompiledGraph } from "./compiled_graph.ts";
import type { Recorder } from "../device/submission_queue.ts";
import type { DispatchSizes } from "../device/trace.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { resolver, type Schedule } from "./schedule.ts";
import { elementBytes, type Resolve, type Storage } from "./view.ts";

/** What a run uses beside the compiled graph. */
export interface RunResources {
  readonly binding: Binding<GpuTensor>;
  readonly schedule: Schedule;
  readonly constants: ReadonlyMap<Tensor, GPUBuffer>;
  readonly groups: BindGroupCache;
  readonly onDispose: () => void;
}

/** The pipeline and the bind group that a dispatch is recorded with. */
interface BoundDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/** The resources of a copy to texels. */
interface BoundCopy {
  readonly from: GPUBufferBinding;
  readonly to: Texels;
}

/** A program with its buffers on the GPU. */
export class GpuRun implements Run {
  readonly #tensors: readonly GpuTensor[];
  /** The temporaries, then the memory of the bound tensors that cannot be bound directly. */
  readonly #leases: readonly Lease[];
  readonly #texels: readonly Lease<Texels>[];
  readonly #apart: ReadonlyMap<string, GPUBuffer>;
  /** The pipeline and the bind group of each dispatch; undefined while a layout of the weights is missing. */
  #bound: readonly (BoundDispatch | BoundCopy)[] | undefined;
  /** The version of the weights that is bound. */
  #version: number;
  /** The parameters for an execution whose sizes are not the maxima. */
  #block: Uint32Array | undefined;
  /** The place of a dispatch's parameters in the ring, which is copied out of it at once. */
  readonly #offset = new Uint32Array(1);
  #live = true;

  constructor(readonly program: CompiledGraph, readonly parts: RunResources) {
    const { device, weights } = program;
    const { binding: { parts: bound }, schedule: { dispatches, memory, texels } } = parts;
    this.#version = weights.version;
    this.#tensors = Object.values(bound).map(({ tensor }) => tensor);
    const apart = [...namesNeedingOwnMemory(bound, dispatches, device.gpu.limits.minStorageBufferOffsetAlignment)];
    this.#leases = device.buffers.borrow([...memory.sizes, ...apart.map((name) => bytesOf(bound[name]))]);
    try {
      this.#texels = device.buffers.borrowTexels(texels.sizes);
    } catch (error) {
      for (const lease of this.#leases) lease[Symbol.dispose]();
      throw error;
    }
    this.#apart = new Map(apart.map((name, i) => [name, this.#leases[memory.sizes.length + i].buffer]));
    device.counters.liveHandles++;
    try {
      this.#bound = this.#bind();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Find a bind group for each dispatch; undefined where a copy of a weight has been dropped. */
  #bind(): (BoundDispatch | BoundCopy)[] | undefined {
    const { program: { pipelines }, parts: { groups, schedule: { dispatches } } } = this;
    const resources = dispatches.map(({ storages }) => storages.map((storage) => this.#resource(storage)));
    if (resources.flat().includes(undefined)) return undefined;
    return dispatches.map((dispatch, i) => {
      if (dispatch.copies) return { from: resources[i][0] as GPUBufferBinding, to: resources[i][1] as Texels };
      const { pipeline, layout } = pipelines.get(dispatch.code)!;
      return { pipeline, group: groups.find(dispatch, layout, resources[i] as Resource[]) };
    });
  }

  /** Pack stale copies of weights again, and bind the weights as they are now. */
  #repack(): void {
    const { weights, neededLayouts } = this.program;
    if (this.#bound && this.#version === weights.version) return;
    weights.repack(neededLayouts);
    this.#bound = this.#bind();
    this.#version = weights.version;
  }

  #resource(storage: Storage): Resource | undefined {
    const { constants, binding: { parts }, schedule: { memory, texels } } = this.parts;
    switch (storage.kind) {
      case "temporary": {
        const { buffer } = this.#leases[memory.slots.get(storage)!];
        if (buffer.size <= this.program.device.maxBinding) return { buffer };
        // Larger because it is another temporary's too.
        const bytes = elementBytes(storage) * storage.elements(resolver(this.maxima));
        return { buffer, offset: 0, size: 16 * Math.ceil(bytes / 16) };
      }
      case "window": {
        const { buffer, offset = 0 } = this.#resource(storage.of) as GPUBufferBinding;
        const each = elementBytes(storage);
        return { buffer, offset: offset + each * storage.from, size: each * storage.elements };
      }
      case "texels":
        return this.#texels[texels.slots.get(storage)!].buffer;
      case "constant":
        return { buffer: constants.get(storage.tensor)! };
      case "weights":
        return this.program.weights.binding(storage.name, storage.layout);
      case "bound": {
        const buffer = this.#apart.get(storage.name);
        return buffer ? { buffer } : bindingOf(parts[storage.name], this.program.device.maxBinding);
      }
    }
  }

  get maxima(): Sizes {
    return this.parts.binding.maxima;
  }

  /**
   * Prepare an execution.
   *
   * @returns A function that records it.
   * @throws {ShapeError} If the sizes do not fit, or a buffer was disposed.
   * @throws {WebGpuError} If the run was disposed.
   */
  execution(sizes: Sizes = {}): (recorder: Recorder) => void {
    const { program: { graph, device }, parts: { binding } } = this;
    const all = sizesOfRun(binding, sizes);
    if (!this.#live) throw new WebGpuError(`Cannot run ${graph.name}: the run was disposed`);
    // The buffer of a disposed tensor may belong to another tensor by now.
    for (const tensor of this.#tensors) tensor.check();
    let varies = false;
    for (const name in sizes) varies ||= sizes[name] !== binding.maxima[name];
    return (recorder) => {
      this.#record(recorder, varies ? resolver(all) : undefined);
      device.counters.runs++;
    };
  }

  /** @param resolve Where sizes differ from the maxima. */
  #record(recorder: Recorder, resolve: Resolve | undefined): void {
    const { program: { device, weights, writes }, parts: { schedule } } = this;
    this.#repack();
    const base = device.queue.reserve(resolve ? this.#blockFor(resolve) : schedule.block);
    this.#copyApart((part, buffer, bytes) => {
      if (part.read) recorder.copy(part.tensor.buffer, byteOffset(part), buffer, 0, bytes);
    });
    for (const { dispatch, index, at, start, workgroups, varies } of schedule.entries) {
      if (start > 0 && resolve && start >= resolve(dispatch.repeat!.end)) continue;
      const groups = varies && resolve ? dispatch.workgroups(resolve) : workgroups;
      if (groups[0] * groups[1] * groups[2] === 0) continue;
      const bound = this.#bound![index];
      if ("from" in bound) {
        this.#copyToTexels(recorder, dispatch, bound, resolve);
        continue;
      }
      const { pipeline, group } = bound;
      const pass = recorder.passOf(dispatch, () => this.#sizesOf(dispatch, groups, resolve));
      this.#offset[0] = base + 4 * at;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group, this.#offset, 0, 1);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
      device.counters.dispatches++;
    }
    this.#copyApart((part, buffer, bytes) => {
      if (part.written) recorder.copy(buffer, 0, part.tensor.buffer, byteOffset(part), bytes);
    });
    if (writes.size > 0) weights.markWritten(writes);
  }

  /** @param resolve Where sizes differ from the maxima. */
  #copyToTexels(recorder: Recorder, { storages }: Dispatch, { from, to }: BoundCopy, resolve?: Resolve): void {
    const { elements } = storages[1] as Extract<Storage, { kind: "texels" }>;
    const { buffer, offset = 0 } = from;
    const bytes = 16 * Math.ceil(elements(resolve ?? resolver(this.maxima)) / 4);
    recorder.copyToTexels(buffer, offset, to, 0, bytes);
  }

  /** What a trace notes of a dispatch. */
  #sizesOf({ storages, operations }: Dispatch, workgroups: readonly number[], resolve?: Resolve): DispatchSizes {
    const bytes = storages.map((storage) => {
      const resource = this.#resource(storage)!;
      return "buffer" in resource ? resource.size ?? resource.buffer.size : resource.size;
    });
    return {
      workgroups,
      bytes: bytes.reduce((a, b) => a + b, 0),
      operations: operations?.(resolve ?? resolver(this.maxima)),
    };
  }

  #copyApart(copy: (part: BoundTensor<GpuTensor>, buffer: GPUBuffer, bytes: number) => void): void {
    const { parts } = this.parts.binding;
    for (const [name, buffer] of this.#apart) copy(parts[name], buffer, copiedBytes(parts[name]));
  }

  #blockFor(resolve: Resolve): Uint32Array {
    const { block, varying } = this.parts.schedule;
    this.#block ??= block.slice();
    for (const { word, value } of varying) this.#block[word] = value(resolve);
    return this.#block;
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#release();
    this.parts.onDispose();
  }

  #release(): void {
    this.#live = false;
    this.program.device.counters.liveHandles--;
    for (const lease of [...this.#leases, ...this.#texels]) lease[Symbol.dispose]();
  }
}
