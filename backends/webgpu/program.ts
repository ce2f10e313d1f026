// A compiled plan and its uses. Binding fixes buffers, bind groups and the parameter block; a run only records dispatches.
import { WebGpuError } from "../../src/errors.ts";
import {
  type Binding,
  checkBinding,
  type DeviceTensor,
  type Dimension,
  type Graph,
  type Program,
  resolveDimension,
  type Run,
  type Sizes,
  sizesOfRun,
} from "../../src/graph/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import type { Device, Pipeline } from "./device.ts";
import { type GpuTensor, toDevice } from "./device_tensor.ts";
import { type Dispatch, maxIterations } from "./kernels/shader.ts";
import { planMemory } from "./memory.ts";
import type { Step } from "./planner.ts";
import type { Resolve, Storage } from "./view.ts";
import type { GpuWeights } from "./weights.ts";

/** What a program is made of. */
export interface ProgramParts {
  readonly graph: Graph;
  readonly device: Device;
  readonly weights: GpuWeights;
  readonly steps: readonly Step[];
  readonly pipelines: ReadonlyMap<string, Pipeline>;
}

/** Resolves dimensions, each once. */
function resolver(sizes: Sizes): Resolve {
  const known = new Map<Dimension, number>();
  return (dimension) => {
    if (typeof dimension === "number") return dimension;
    let value = known.get(dimension);
    if (value === undefined) known.set(dimension, value = resolveDimension(dimension, sizes));
    return value;
  };
}

/** A compiled graph on the GPU. */
export class GpuProgram implements Program {
  readonly #constants = new Map<Tensor, GPUBuffer>();
  /** Runs that are not yet disposed: they keep the constants. */
  #runs = 0;
  #live = true;

  constructor(readonly parts: ProgramParts) {
    parts.device.counters.liveHandles++;
    const { device, steps } = parts;
    for (const { dispatch } of steps.flat()) {
      for (const storage of dispatch.storages) {
        if (storage.kind !== "constant" || this.#constants.has(storage.tensor)) continue;
        const bytes = toDevice(storage.tensor.dataType, storage.tensor.data);
        const buffer = device.createBuffer(bytes.length);
        device.write(buffer, bytes);
        this.#constants.set(storage.tensor, buffer);
      }
    }
  }

  bind(tensors: Readonly<Record<string, DeviceTensor>>, maxima: Sizes = {}): Run {
    if (!this.#live) throw new WebGpuError(`Cannot bind ${this.parts.graph.name}: the program was disposed`);
    const binding = checkBinding(this.parts.graph, tensors, maxima);
    const buffers = tensors as Readonly<Record<string, GpuTensor>>;
    const run = new GpuRun(this.parts, buffers, this.#constants, binding, () => {
      this.#runs--;
      this.#releaseUnused();
    });
    this.#runs++;
    return run;
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#live = false;
    this.parts.device.counters.liveHandles--;
    this.#releaseUnused();
  }

  #releaseUnused(): void {
    if (this.#live || this.#runs > 0) return;
    for (const buffer of this.#constants.values()) this.parts.device.release(buffer);
    this.#constants.clear();
  }
}

/** A dispatch of a run. */
interface Entry {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Where its parameters begin in the block, in words. */
  readonly at: number;
  /** What the repeated parameter is. */
  readonly start: number;
  readonly workgroups: readonly [number, number, number];
}

class GpuRun implements Run {
  readonly #device: Device;
  readonly #entries: Entry[] = [];
  readonly #temporaries: GPUBuffer[];
  readonly #block: Uint32Array;
  /** The words of the block that depend on sizes. */
  readonly #slots: { readonly word: number; readonly dimension: Dimension }[] = [];
  #live = true;

  constructor(
    readonly parts: ProgramParts,
    readonly tensors: Readonly<Record<string, GpuTensor>>,
    readonly constants: ReadonlyMap<Tensor, GPUBuffer>,
    readonly binding: Binding,
    readonly onDispose: () => void,
  ) {
    const { device, steps } = parts;
    this.#device = device;
    const resolve = resolver(binding.maxima);
    const dispatches = steps.map((step) => step.find(({ when }) => !when || when(resolve))!.dispatch);
    const memory = planMemory(dispatches, resolve, device);
    this.#temporaries = memory.buffers;
    device.counters.liveHandles++;
    const words: number[] = [];
    try {
      for (const dispatch of dispatches) this.#enter(dispatch, { words, resolve, places: memory.places });
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#block = Uint32Array.from(words);
  }

  #enter(
    dispatch: Dispatch,
    { words, resolve, places }: {
      words: number[];
      resolve: Resolve;
      places: ReadonlyMap<Storage, GPUBuffer>;
    },
  ): void {
    const { label, iterations, repeat, parameters } = dispatch;
    if (iterations && iterations(resolve) > maxIterations) {
      throw new WebGpuError(
        `Cannot bind ${this.parts.graph.name}: the kernel ${label} would take ${iterations(resolve)} iterations, ` +
          `at most ${maxIterations} are safe`,
      );
    }
    const { pipeline, layout } = this.parts.pipelines.get(dispatch.code)!;
    const group = this.#group(dispatch, layout, places);
    const starts = repeat ? Math.max(1, Math.ceil(resolve(repeat.end) / repeat.step)) : 1;
    for (let n = 0; n < starts; n++) {
      const at = words.length;
      const start = n * (repeat?.step ?? 0);
      for (const [i, dimension] of parameters.entries()) {
        const repeated = repeat?.parameter === i;
        if (typeof dimension === "string" && !repeated) this.#slots.push({ word: at + i, dimension });
        words.push(repeated ? start : resolve(dimension) >>> 0);
      }
      const aligned = Math.ceil(Math.max(16, words.length * 4) / this.#device.alignment) * this.#device.alignment / 4;
      // A block is read as vectors of four words.
      while (words.length < aligned || words.length % 4 !== 0) words.push(0);
      this.#entries.push({ dispatch, pipeline, group, at, start, workgroups: dispatch.workgroups(resolve) });
    }
  }

  #group(dispatch: Dispatch, layout: GPUBindGroupLayout, places: ReadonlyMap<Storage, GPUBuffer>): GPUBindGroup {
    const parameterBytes = Math.max(1, Math.ceil(dispatch.parameters.length / 4)) * 16;
    const limit = this.#device.gpu.limits.maxStorageBufferBindingSize;
    const entries = dispatch.storages.map((storage, i) => {
      const resource = this.#resource(storage, places);
      if ((resource.size ?? resource.buffer.size) > limit) {
        throw new WebGpuError(
          `Cannot bind ${this.parts.graph.name}: a tensor of ${dispatch.label} has ${resource.buffer.size} bytes, ` +
            `the device takes at most ${limit} at once`,
        );
      }
      return { binding: i + 1, resource };
    });
    return this.#device.gpu.createBindGroup({
      label: dispatch.label,
      layout,
      entries: [{ binding: 0, resource: { buffer: this.#device.ring, size: parameterBytes } }, ...entries],
    });
  }

  #resource(storage: Storage, places: ReadonlyMap<Storage, GPUBuffer>): GPUBufferBinding {
    if (storage.kind === "temporary") return { buffer: places.get(storage)! };
    if (storage.kind === "constant") return { buffer: this.constants.get(storage.tensor)! };
    if (storage.kind === "weights") return this.parts.weights.binding(storage.name, storage.layout);
    const tensor = this.tensors[storage.name];
    tensor.check();
    return { buffer: tensor.buffer };
  }

  enqueue(sizes?: Sizes): void {
    const all = sizesOfRun(this.binding, sizes);
    if (!this.#live) throw new WebGpuError(`Cannot run ${this.parts.graph.name}: the run was disposed`);
    const device = this.#device;
    const varies = sizes !== undefined &&
      Object.entries(sizes).some(([name, size]) => this.binding.maxima[name] !== size);
    const resolve = varies ? resolver(all) : undefined;
    if (resolve) {
      for (const { word, dimension } of this.#slots) this.#block[word] = resolve(dimension);
    }
    const base = device.reserve(this.#block);
    if (resolve) {
      const whole = resolver(this.binding.maxima);
      for (const { word, dimension } of this.#slots) this.#block[word] = whole(dimension);
    }
    const { pass } = device;
    for (const { dispatch, pipeline, group, at, start, workgroups } of this.#entries) {
      if (start > 0 && resolve && start >= resolve(dispatch.repeat!.end)) continue;
      const [x, y, z] = resolve ? dispatch.workgroups(resolve) : workgroups;
      if (x * y * z === 0) continue;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group, [base + at * 4]);
      pass.dispatchWorkgroups(x, y, z);
      device.counters.dispatches++;
    }
    device.counters.runs++;
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#release();
    this.onDispose();
  }

  #release(): void {
    this.#live = false;
    this.#device.counters.liveHandles--;
    for (const buffer of this.#temporaries) this.#device.release(buffer);
  }
}
