// The stream of one caller's work on a runtime of ONNX models: its order, its failure, and its abort.
import type { Lane } from "../../../src/async/work_queue.ts";
import { BackendError, ShapeError } from "../../../src/errors/mod.ts";
import type {
  DeviceTensor,
  ReadOptions,
  RowCopies,
  Run,
  Sizes,
  Stream,
  StreamOptions,
} from "../../../src/graph/mod.ts";
import { bytesPerElement, sizeOf, Tensor, type TypedArray } from "../../../src/tensor/mod.ts";
import type { OnnxRun } from "./run.ts";
import type { OnnxRuntime, RunControl } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";

/** A stream of a backend that runs ONNX models. */
export class OnnxStream implements Stream {
  readonly #control: RunControl;
  readonly #lane: Lane;
  #disposed = false;

  constructor(readonly runtime: OnnxRuntime, { signal }: StreamOptions) {
    this.#control = runtime.runControl();
    runtime.counters.liveHandles++;
    this.#lane = runtime.lane({ signal, stop: () => this.#control.stop() });
  }

  write(target: DeviceTensor, data: TypedArray, offset = 0): void {
    const tensor = target as RuntimeTensor;
    if (offset + data.length > sizeOf(tensor.capacity)) {
      throw new ShapeError(
        `Cannot write ${data.length} elements at ${offset}: the buffer is for [${tensor.capacity}]`,
      );
    }
    tensor.checkLive();
    // Where the write must wait, the caller may change its array before the write is executed.
    const own = this.runtime.work.isIdle ? data : data.slice();
    this.#run(() => tensor.value.write(own, offset));
  }

  copyRows(source: DeviceTensor, target: DeviceTensor, copies: RowCopies): void {
    const [from, to] = [source as RuntimeTensor, target as RuntimeTensor];
    from.checkLive();
    to.checkLive();
    this.#run(() => to.value.copyRows(from.value, copies));
  }

  enqueue(run: Run, sizes?: Sizes): void {
    const execute = (run as OnnxRun).execution(sizes);
    this.#run(() => execute(this.#control));
  }

  async read(source: DeviceTensor, { shape = source.capacity, into }: ReadOptions = {}): Promise<Tensor> {
    const size = sizeOf(shape);
    if (size > sizeOf(source.capacity)) {
      throw new ShapeError(`Cannot read [${shape}]: the buffer is for [${source.capacity}]`);
    }
    const tensor = source as RuntimeTensor;
    tensor.checkLive();
    this.#checkLive();
    const { counters } = this.runtime;
    counters.waits++;
    // The copy is queued too: work that is queued after this read cannot change its result.
    const data = await this.#lane.read(() => tensor.value.read(size, into));
    counters.bytesRead += size * bytesPerElement(source.dataType);
    return new Tensor(source.dataType, shape, data);
  }

  #run(work: () => void | Promise<void>): void {
    this.#checkLive();
    this.#lane.run(work);
  }

  #checkLive(): void {
    this.runtime.checkOpen();
    if (this.#disposed) throw new BackendError("Cannot use a stream: it was released", this.runtime.name);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#lane.close();
    this.runtime.release(() => this.#control.release());
  }
}
