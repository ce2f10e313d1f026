// What a device was told to do, kept for a person to look at: each dispatch with its kernel and the time that it took, by
// timestamps of the device, for which each dispatch is a pass of its own.
import type { Dispatch } from "../kernels/shader.ts";

/** The dispatches whose times one set of queries holds. */
const perSet = 2048;

/** A dispatch that was recorded. */
export interface TracedDispatch {
  readonly label: string;
  readonly code: string;
  readonly workgroups: readonly number[];
  /** The bytes of the buffers that it reads or writes, a table's or a cache's whole. */
  readonly bytes: number;
  /** Multiplications and additions, where they are known. */
  readonly operations: number | undefined;
}

/** A dispatch, and when the device began and ended it, in microseconds; undefined where the device has no timestamps. */
export interface TimedDispatch extends TracedDispatch {
  readonly begin: number | undefined;
  readonly end: number | undefined;
}

/** What a dispatch is recorded with. */
export interface DispatchSizes {
  readonly workgroups: readonly number[];
  readonly bytes: number;
  readonly operations: number | undefined;
}

/** Keeps what is recorded. */
export class Trace {
  readonly #dispatches: TracedDispatch[] = [];
  readonly #sets: GPUQuerySet[] = [];
  readonly #hasTimes: boolean;

  constructor(readonly gpu: GPUDevice) {
    this.#hasTimes = gpu.features.has("timestamp-query");
  }

  /** Note a dispatch. @returns How the pass is begun that it is recorded in. */
  note({ label, code }: Dispatch, sizes: DispatchSizes): GPUComputePassDescriptor {
    const at = this.#dispatches.push({ label, code, ...sizes }) - 1;
    if (!this.#hasTimes) return { label };
    const [set, place] = [Math.floor(at / perSet), 2 * (at % perSet)];
    const querySet = this.#sets[set] ??= this.gpu.createQuerySet({ type: "timestamp", count: 2 * perSet });
    return {
      label,
      timestampWrites: { querySet, beginningOfPassWriteIndex: place, endOfPassWriteIndex: place + 1 },
    };
  }

  /** Wait for the device, and take what was recorded and submitted since the last time. */
  async take(): Promise<TimedDispatch[]> {
    const dispatches = this.#dispatches.splice(0);
    const times: bigint[] = [];
    for (const [i, set] of this.#sets.splice(0).entries()) {
      times.push(...await this.#timesOf(set, Math.min(perSet, dispatches.length - i * perSet)));
    }
    const [first] = times;
    const microseconds = (time: bigint | undefined) => time === undefined ? undefined : Number(time - first) / 1000;
    return dispatches.map((dispatch, i) => (
      { ...dispatch, begin: microseconds(times[2 * i]), end: microseconds(times[2 * i + 1]) }
    ));
  }

  async #timesOf(set: GPUQuerySet, count: number): Promise<BigUint64Array> {
    const size = 16 * count;
    const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const [resolved, staging] = [QUERY_RESOLVE | COPY_SRC, COPY_DST | MAP_READ].map((usage) =>
      this.gpu.createBuffer({ size, usage })
    );
    const encoder = this.gpu.createCommandEncoder();
    encoder.resolveQuerySet(set, 0, 2 * count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    this.gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const times = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const object of [resolved, staging, set]) object.destroy();
    return times;
  }
}
