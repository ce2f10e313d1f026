// A use of a program. Binding fixes buffers, bind groups and the parameter block; a run only records dispatches.
import { WebGpuError } from "../../src/errors.ts";
import {
  type Binding,
  type Dimension,
  resolveDimension,
  type Run,
  type Sizes,
  sizesOfRun,
} from "../../src/graph/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import type { Lease } from "./buffers.ts";
import type { GpuTensor } from "./device_tensor.ts";
import type { Groups } from "./groups.ts";
import { type Dispatch, maxIterations } from "./kernels/shader.ts";
import { planMemory } from "./memory.ts";
import type { ProgramParts } from "./program.ts";
import type { Resolve, Storage } from "./view.ts";

/** What a use of a program is given. */
export interface RunParts {
  readonly binding: Binding;
  /** The buffers of inputs, states and outputs. */
  readonly tensors: Readonly<Record<string, GpuTensor>>;
  readonly constants: ReadonlyMap<Tensor, GPUBuffer>;
  readonly groups: Groups;
  readonly onDispose: () => void;
}

/** A dispatch of a run. */
interface Entry {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Where its parameters begin in the block, in bytes. */
  readonly at: number;
  /** What the repeated parameter is. */
  readonly start: number;
  readonly workgroups: readonly [number, number, number];
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

/** A program with its buffers on the GPU. */
export class GpuRun implements Run {
  readonly #entries: Entry[] = [];
  readonly #tensors: readonly GpuTensor[];
  readonly #temporaries: readonly Lease[];
  readonly #slots: ReadonlyMap<Storage, number>;
  /** The parameters of all dispatches, for the maxima. */
  readonly #block: Uint32Array;
  /** A copy of it, for other sizes. */
  #smaller: Uint32Array | undefined;
  /** The words of the block that depend on sizes. */
  readonly #varying: { readonly word: number; readonly dimension: Dimension }[] = [];
  #live = true;

  constructor(readonly program: ProgramParts, readonly parts: RunParts) {
    const { device, steps } = program;
    this.#tensors = Object.values(parts.tensors);
    const resolve = resolver(parts.binding.maxima);
    const dispatches = steps.map((step) => step.find(({ when }) => !when || when(resolve))!.dispatch);
    const { sizes, slots } = planMemory(dispatches, resolve);
    this.#slots = slots;
    this.#temporaries = device.buffers.borrow(sizes);
    device.counters.liveHandles++;
    const words: number[] = [];
    try {
      for (const dispatch of dispatches) this.#enter(dispatch, words, resolve);
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#block = Uint32Array.from(words);
  }

  /** Add a dispatch, and its parameters to `words`. */
  #enter(dispatch: Dispatch, words: number[], resolve: Resolve): void {
    const { label, iterations, repeat, parameters } = dispatch;
    const { graph, pipelines, device: { queue } } = this.program;
    if (iterations && iterations(resolve) > maxIterations) {
      throw new WebGpuError(
        `Cannot bind ${graph.name}: the kernel ${label} would take ${iterations(resolve)} iterations, ` +
          `at most ${maxIterations} are safe`,
      );
    }
    const { pipeline, layout } = pipelines.get(dispatch.code)!;
    const resources = dispatch.storages.map((storage) => this.#resource(storage));
    const group = this.parts.groups.find(dispatch, layout, resources);
    const starts = repeat ? Math.max(1, Math.ceil(resolve(repeat.end) / repeat.step)) : 1;
    for (let n = 0; n < starts; n++) {
      const first = words.length;
      const start = n * (repeat?.step ?? 0);
      for (const [i, dimension] of parameters.entries()) {
        const repeated = repeat?.parameter === i;
        if (typeof dimension === "string" && !repeated) this.#varying.push({ word: first + i, dimension });
        words.push(repeated ? start : resolve(dimension) >>> 0);
      }
      // The next block begins where an offset may be; a block is read as vectors of four words.
      const step = Math.max(16, queue.alignment) / 4;
      while (words.length === first || words.length % step !== 0) words.push(0);
      this.#entries.push({ dispatch, pipeline, group, at: 4 * first, start, workgroups: dispatch.workgroups(resolve) });
    }
  }

  #resource(storage: Storage): GPUBufferBinding {
    switch (storage.kind) {
      case "temporary":
        return { buffer: this.#temporaries[this.#slots.get(storage)!].buffer };
      case "constant":
        return { buffer: this.parts.constants.get(storage.tensor)! };
      case "weights":
        return this.program.weights.binding(storage.name, storage.layout);
      case "bound":
        return { buffer: this.parts.tensors[storage.name].buffer };
    }
  }

  enqueue(sizes?: Sizes): void {
    const { program: { graph, device: { counters, queue } }, parts: { binding } } = this;
    const all = sizesOfRun(binding, sizes);
    if (!this.#live) throw new WebGpuError(`Cannot run ${graph.name}: the run was disposed`);
    // The buffer of one that was disposed may be another's.
    for (const tensor of this.#tensors) tensor.check();
    const varies = sizes && Object.entries(sizes).some(([name, size]) => binding.maxima[name] !== size);
    const resolve = varies ? resolver(all) : undefined;
    const base = queue.reserve(resolve ? this.#blockFor(resolve) : this.#block);
    const { pass } = queue;
    for (const { dispatch, pipeline, group, at, start, workgroups } of this.#entries) {
      if (start > 0 && resolve && start >= resolve(dispatch.repeat!.end)) continue;
      const [x, y, z] = resolve ? dispatch.workgroups(resolve) : workgroups;
      if (x * y * z === 0) continue;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group, [base + at]);
      pass.dispatchWorkgroups(x, y, z);
      counters.dispatches++;
    }
    counters.runs++;
  }

  /** The parameters for sizes below the maxima. */
  #blockFor(resolve: Resolve): Uint32Array {
    const block = this.#smaller ??= this.#block.slice();
    for (const { word, dimension } of this.#varying) block[word] = resolve(dimension);
    return block;
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#release();
    this.parts.onDispose();
  }

  #release(): void {
    this.#live = false;
    this.program.device.counters.liveHandles--;
    for (const lease of this.#temporaries) lease[Symbol.dispose]();
  }
}
