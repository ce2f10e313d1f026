// A compiled plan: its steps, its constants, and the bind groups of its uses (run.ts).
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
import { type GpuTensor, toDevice } from "../device/device_tensor.ts";
import { Groups } from "./bind_groups.ts";
import type { ProgramParts } from "./program_parts.ts";
import { GpuRun } from "./run.ts";
import { type Schedule, schedule } from "./schedule.ts";

/** Sizes for which is kept what a program does. */
const kept = 16;

/** A compiled graph on the GPU. */
export class GpuProgram implements Program {
  readonly #constants = new Map<Tensor, GPUBuffer>();
  readonly #groups: Groups;
  /** By maxima, the one used last at the end. */
  readonly #schedules = new Map<string, Schedule>();
  /** Runs that are not yet disposed: they keep the constants. */
  #runs = 0;
  #live = true;

  constructor(readonly parts: ProgramParts) {
    const { device, steps } = parts;
    device.counters.liveHandles++;
    device.buffers.keep();
    this.#groups = new Groups(device);
    for (const { dispatch } of steps.flat()) {
      for (const storage of dispatch.storages) {
        if (storage.kind !== "constant" || this.#constants.has(storage.tensor)) continue;
        const bytes = toDevice(storage.tensor.dataType, storage.tensor.data);
        const buffer = device.createBuffer(bytes.length);
        // Where that fails, so does the work that reads it.
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
    const { steps, device } = this.parts;
    const key = JSON.stringify(binding.maxima);
    const found = this.#schedules.get(key) ?? schedule(steps, binding, device.queue.alignment);
    this.#schedules.delete(key);
    this.#schedules.set(key, found);
    if (this.#schedules.size > kept) this.#schedules.delete(this.#schedules.keys().next().value!);
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
