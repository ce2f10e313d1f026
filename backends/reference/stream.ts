// The stream of one caller's work on the reference: work is executed when it is queued.
import type { Lane } from "../../src/async/work_queue.ts";
import { BackendError, ShapeError } from "../../src/errors/mod.ts";
import type { DeviceTensor, ReadOptions, RowCopies, Run, Sizes, Stream } from "../../src/graph/mod.ts";
import { bytesPerElement, copyArray, copyRows, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import type { HostBuffer, ReferenceRun } from "./program.ts";

/** For how long the interpreter may keep timers and other callers waiting, in milliseconds. */
const turnMilliseconds = 10;

/** What streams share: counters, and when the event loop last had a turn. */
export interface Shared {
  readonly counters: { waits: number; bytesRead: number; liveHandles: number };
  lastTurn: number;
  /** Whether the backend was closed. */
  closed: boolean;
}

/** @throws {BackendError} If the backend was closed. */
export function checkOpen({ closed }: Shared): void {
  if (closed) throw new BackendError("Cannot use the reference backend: it was closed", "reference");
}

/** A stream of the reference backend. */
export class ReferenceStream implements Stream {
  #live = true;

  constructor(readonly shared: Shared, readonly lane: Lane) {
    shared.counters.liveHandles++;
  }

  write(target: DeviceTensor, data: TypedArray, offset = 0): void {
    const buffer = target as HostBuffer;
    if (offset + data.length > buffer.data.length) {
      throw new ShapeError(`Cannot write ${data.length} elements at ${offset}: the buffer is for [${buffer.capacity}]`);
    }
    this.#run(() => buffer.data.set(data as never, offset));
  }

  copyRows(source: DeviceTensor, target: DeviceTensor, copies: RowCopies): void {
    const [from, to] = [source as HostBuffer, target as HostBuffer];
    this.#run(() => copyRows(from.capacity, from.data, to.data, copies));
  }

  enqueue(run: Run, sizes?: Sizes): void {
    this.#run((run as ReferenceRun).execution(sizes));
  }

  async read(source: DeviceTensor, { shape = source.capacity, into }: ReadOptions = {}): Promise<Tensor> {
    this.#checkLive();
    const size = sizeOf(shape);
    if (size > sizeOf(source.capacity)) {
      throw new ShapeError(`Cannot read [${shape}]: the buffer is for [${source.capacity}]`);
    }
    const { counters } = this.shared;
    counters.waits++;
    const read = this.lane.read(() => copyArray((source as HostBuffer).data.subarray(0, size), into));
    // The promise is awaited below, after timers and other callers had their turn.
    read.catch(() => {});
    if (performance.now() - this.shared.lastTurn > turnMilliseconds) {
      await new Promise((resolve) => setTimeout(resolve));
      this.shared.lastTurn = performance.now();
    }
    const data = await read;
    counters.bytesRead += size * bytesPerElement(source.dataType);
    return new Tensor(source.dataType, shape, data);
  }

  #run(work: () => void): void {
    this.#checkLive();
    this.lane.run(work);
  }

  #checkLive(): void {
    checkOpen(this.shared);
    if (!this.#live) throw new BackendError("Cannot use a stream: it was released", "reference");
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#live = false;
    this.shared.counters.liveHandles--;
    this.lane.close();
  }
}
