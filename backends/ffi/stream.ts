// The stream of one caller's work on ONNX Runtime: its order, its failure, and its abort through its own run options.
import type { Lane } from "../../src/async/work_queue.ts";
import { BackendError, ShapeError } from "../../src/errors/mod.ts";
import type { DeviceTensor, ReadOptions, RowCopies, Run, Sizes, Stream, StreamOptions } from "../../src/graph/mod.ts";
import { bytesPerElement, copyArray, copyRows, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import type { FfiRun } from "./program.ts";
import type { Runtime } from "./runtime.ts";
import type { OrtTensor } from "./ort_value.ts";

/** A stream of the ffi backend. */
export class FfiStream implements Stream {
  readonly #runOptions: Deno.PointerObject;
  readonly #lane: Lane;
  #disposed = false;

  constructor(readonly runtime: Runtime, { signal }: StreamOptions) {
    const { api } = runtime;
    this.#runOptions = runtime.create("CreateRunOptions", (out) => api.createRunOptions(out));
    runtime.counters.liveHandles++;
    const stop = () => runtime.check(api.runOptionsSetTerminate(this.#runOptions), "stop a run");
    this.#lane = runtime.lane({ signal, stop });
  }

  write(target: DeviceTensor, data: TypedArray, offset = 0): void {
    const tensor = target as OrtTensor;
    if (offset + data.length > sizeOf(tensor.capacity)) {
      throw new ShapeError(
        `Cannot write ${data.length} elements at ${offset}: the buffer is for [${tensor.capacity}]`,
      );
    }
    tensor.checkLive();
    // Where the write must wait, the caller may change its array before the write is executed.
    const own = this.runtime.work.isIdle ? data : data.slice();
    this.#run(() => tensor.value.data.set(own as never, offset));
  }

  copyRows(source: DeviceTensor, target: DeviceTensor, copies: RowCopies): void {
    const [from, to] = [source as OrtTensor, target as OrtTensor];
    from.checkLive();
    to.checkLive();
    this.#run(() => copyRows(from.capacity, from.value.data, to.value.data, copies));
  }

  enqueue(run: Run, sizes?: Sizes): void {
    const execute = (run as FfiRun).execution(sizes);
    this.#run(() => execute(this.#runOptions));
  }

  async read(source: DeviceTensor, { shape = source.capacity, into }: ReadOptions = {}): Promise<Tensor> {
    const size = sizeOf(shape);
    if (size > sizeOf(source.capacity)) {
      throw new ShapeError(`Cannot read [${shape}]: the buffer is for [${source.capacity}]`);
    }
    const tensor = source as OrtTensor;
    tensor.checkLive();
    this.#checkLive();
    const { counters } = this.runtime;
    counters.waits++;
    // The copy is queued too: work that is queued after this read cannot change its result.
    const data = await this.#lane.read(() => copyArray(tensor.value.data.subarray(0, size), into));
    counters.bytesRead += size * bytesPerElement(source.dataType);
    return new Tensor(source.dataType, shape, data);
  }

  #run(work: () => void | Promise<void>): void {
    this.#checkLive();
    this.#lane.run(work);
  }

  #checkLive(): void {
    this.runtime.checkOpen();
    if (this.#disposed) throw new BackendError("Cannot use a stream: it was released", "ffi");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#lane.close();
    this.runtime.release(() => this.runtime.api.releaseRunOptions(this.#runOptions));
  }
}
