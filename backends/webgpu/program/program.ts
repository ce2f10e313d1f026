// A compiled program. Think of it as three layers: the program holds what all its uses share (steps, constants, bind groups); a
// schedule (schedule.ts) is the steps for given maxima of the sizes; a run (run.ts) is a schedule with buffers, which records
// its dispatches.
import { WebGpuError } from "../../../src/errors/mod.ts";
import {
  type Binding,
  checkBinding,
  type DeviceTensor,
  type Program,
  type Run,
  type Sizes,
  type TensorPart,
} from "../../../src/graph/mod.ts";
import type { Tensor } from "../../../src/tensor/mod.ts";
import { type GpuTensor, toDevice } from "../device/gpu_tensor.ts";
import { BindGroupCache } from "./bind_group_cache.ts";
import type { CompiledGraph } from "./compiled_graph.ts";
import { GpuRun } from "./run.ts";
import { type Schedule, schedule } from "./schedule.ts";

/** How many schedules a program keeps. */
const keptSchedules = 16;

/** A compiled graph on the GPU. */
export class GpuProgram implements Program {
  readonly #constants = new Map<Tensor, GPUBuffer>();
  readonly #groups: BindGroupCache;
  /** Schedules by the maxima of the sizes, the most recently used last. */
  readonly #schedules = new Map<string, Schedule>();
  /** The number of runs that are not yet disposed: they need the constants. */
  #runs = 0;
  #live = true;

  constructor(readonly parts: CompiledGraph) {
    const { device, steps } = parts;
    device.counters.liveHandles++;
    device.buffers.keep();
    this.#groups = new BindGroupCache(device);
    for (const { dispatch } of steps.flat()) {
      for (const storage of dispatch?.storages ?? []) {
        if (storage.kind !== "constant" || this.#constants.has(storage.tensor)) continue;
        const bytes = toDevice(storage.tensor.dataType, storage.tensor.data);
        const buffer = device.createBuffer(bytes.length);
        // Where the write fails, the work that reads the buffer fails too and reports it.
        device.queue.write(buffer, bytes, 0, () => {});
        this.#constants.set(storage.tensor, buffer);
      }
    }
  }

  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima: Sizes = {}): Run {
    if (!this.#live) throw new WebGpuError(`Cannot bind ${this.parts.graph.name}: the program was disposed`);
    const bound = tensors as Readonly<Record<string, GpuTensor | TensorPart<GpuTensor>>>;
    const binding = checkBinding(this.parts.graph, bound, maxima);
    const run = new GpuRun(this.parts, {
      binding,
      schedule: this.#scheduleFor(binding),
      constants: this.#constants,
      groups: this.#groups,
      onDispose: () => {
        this.#runs--;
        this.#releaseUnused();
      },
    });
    this.#runs++;
    return run;
  }

  #scheduleFor(binding: Binding): Schedule {
    const { steps, sequences, device: { queue: { alignment } } } = this.parts;
    const key = JSON.stringify(binding.maxima);
    const found = this.#schedules.get(key) ?? schedule(steps, binding, { alignment, sequences });
    this.#schedules.delete(key);
    this.#schedules.set(key, found);
    if (this.#schedules.size > keptSchedules) this.#schedules.delete(this.#schedules.keys().next().value!);
    return found;
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
    this.parts.device.buffers.leave();
  }
}
