// How long products take on a device, by its timestamps.
import type { Device } from "../device/device.ts";
import { Recorder } from "../device/submission_queue.ts";
import { Texels } from "../device/texels.ts";
import { DispatchList } from "../program/dispatch_list.ts";
import type { Storage } from "../program/view.ts";
import { panelBytes } from "../weights/layout.ts";
import type { ProductClass } from "./candidates.ts";
import type { CandidateKernel, Memories, Tuning } from "./tunings.ts";

/** A product to time. */
export interface Trial {
  readonly of: ProductClass;
  readonly kernel: CandidateKernel;
}

/** How often each is run; the fastest counts, since the first brings memory into caches. */
const repeats = 3;

/** Products in memory of their own, while it lasts. */
class Bench implements Disposable {
  readonly #memories: Memories;
  readonly #held = new Map<Storage, GPUBuffer | Texels>();
  readonly #dispatches: number;
  #failed = false;

  constructor(readonly device: Device, { isSoftware, families }: Tuning) {
    this.#dispatches = device.counters.dispatches;
    const classes = Object.values(families).flatMap((family) => family.classes);
    const most = (bytes: (of: ProductClass) => number) => Math.max(...classes.map(bytes));
    const hold = (bytes: number, asTexels = false): Storage => {
      const storage: Storage = { kind: "temporary", elements: () => bytes / 4 };
      this.#held.set(storage, asTexels ? device.createTexels(bytes) : device.createBuffer(bytes));
      return storage;
    };
    this.#memories = {
      x: hold(most(({ rows, inputs }) => 4 * rows * inputs)),
      copy: hold(isSoftware ? most(({ rows, inputs }) => 4 * rows * inputs) : 4, isSoftware),
      weights: hold(most(({ inputs, outputs }) => panelBytes(outputs, inputs)), isSoftware),
      target: hold(most(({ rows, outputs }) => 4 * rows * outputs)),
    };
  }

  compile({ kernel, of }: Trial): Promise<DispatchList> {
    return DispatchList.compile(this.device, [kernel(of, this.#memories)]);
  }

  /** The microseconds of each list, which are all submitted at once; undefined where the device failed. */
  async time(lists: readonly DispatchList[]): Promise<(number | undefined)[]> {
    const recorder = new Recorder(this.device.queue, () => this.#failed = true);
    const trace = this.device.startTrace();
    try {
      for (let time = 0; time < repeats; time++) {
        for (const list of lists) list.record(recorder, (storage) => this.#resourceOf(storage));
      }
      recorder.flush();
      const times = (await trace.take()).map(({ begin, end }) => end! - begin!);
      return lists.map((_, i) =>
        this.#failed ? undefined : Math.min(...times.filter((_, n) => n % lists.length === i))
      );
    } finally {
      this.device.stopTrace();
    }
  }

  #resourceOf(storage: Storage): GPUBufferBinding | Texels {
    const held = this.#held.get(storage)!;
    return held instanceof Texels ? held : { buffer: held };
  }

  [Symbol.dispose](): void {
    for (const held of this.#held.values()) this.device.release(held);
    // They are none of a program's.
    this.device.counters.dispatches = this.#dispatches;
  }
}

/**
 * Time products.
 *
 * @param batches Trials that are timed together: on a processor all or none, on a GPU those that are compiled in time.
 * @param milliseconds What has not begun by then is left out, but for the first, if there is any time.
 * @returns The microseconds of each trial; undefined where it was not timed, or the device has no timestamps.
 */
export async function measure(
  device: Device,
  tuning: Tuning,
  batches: readonly (readonly Trial[])[],
  milliseconds: number,
): Promise<Map<Trial, number>> {
  const found = new Map<Trial, number>();
  if (!device.gpu.features.has("timestamp-query")) return found;
  const end = performance.now() + milliseconds;
  using bench = new Bench(device, tuning);
  for (const batch of batches) {
    const compiled: [Trial, DispatchList][] = [];
    for (const trial of batch) {
      const isFirst = batch === batches[0] && compiled.length === 0 && milliseconds > 0;
      // On a processor the kernels of a batch, once begun, are few.
      const isUnderWay = tuning.isSoftware && compiled.length > 0;
      if (!isFirst && !isUnderWay && performance.now() >= end) break;
      compiled.push([trial, await bench.compile(trial)]);
    }
    if (compiled.length === 0) break;
    const times = await bench.time(compiled.map(([, list]) => list));
    for (const [i, [trial]] of compiled.entries()) {
      // A clock that shows nothing shows no difference.
      if (times[i]! > 0) found.set(trial, times[i]!);
    }
  }
  return found;
}
