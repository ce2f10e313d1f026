// The stream of one caller's work on a GPU: its recorder, its failure and its abort.
import { ShapeError, WebGpuError } from "../../../src/errors/mod.ts";
import type {
  DeviceTensor,
  ReadOptions,
  RowCopies,
  Run,
  Sizes,
  Stream,
  StreamOptions,
} from "../../../src/graph/mod.ts";
import { sizeOf, type Tensor, type TypedArray } from "../../../src/tensor/mod.ts";
import type { Device } from "./device.ts";
import { fromDevice, type GpuTensor, toDevice, toHalves } from "./gpu_tensor.ts";
import { Recorder } from "./submission_queue.ts";
import type { GpuRun } from "../program/run.ts";

/** A segment of a stream's work that ends with a failure, which its first read reports. */
interface Segment {
  failure?: WebGpuError;
}

/** A stream of the webgpu backend. */
export class GpuStream implements Stream {
  readonly #recorder: Recorder;
  readonly #signal: AbortSignal | undefined;
  /** The segment that is recorded now; a read that is under way belongs to the segment in which it was called. */
  #segment: Segment = {};
  readonly #onAbort = () => this.#recorder.discard();
  #live = true;

  constructor(readonly device: Device, { signal }: StreamOptions) {
    this.#recorder = new Recorder(device.queue, (message) => {
      this.#segment.failure ??= device.errorOf(message);
    });
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    device.counters.liveHandles++;
  }

  /** Whether work is dropped: the stream was aborted, or has a failure that no read has reported yet. */
  get #drops(): boolean {
    return this.#signal?.aborted === true || this.#segment.failure !== undefined;
  }

  write(target: DeviceTensor, data: TypedArray, offset = 0): void {
    this.#checkLive();
    const tensor = target as GpuTensor;
    if (offset + data.length > tensor.size) {
      throw new ShapeError(`Cannot write ${data.length} elements at ${offset}: the buffer is for [${tensor.capacity}]`);
    }
    const { buffer, elementBytes } = tensor;
    const words = elementBytes === 2
      ? toHalves(data, offset, offset + data.length === tensor.size)
      : toDevice(tensor.dataType, data);
    if (!this.#drops) this.#recorder.write(buffer, words, elementBytes * offset);
  }

  copyRows(source: DeviceTensor, target: DeviceTensor, copies: RowCopies): void {
    this.#checkLive();
    const [from, to] = [source as GpuTensor, target as GpuTensor];
    const [fromBuffer, toBuffer] = [from.buffer, to.buffer];
    if (from.elementBytes * sizeOf(from.capacity.slice(copies.axis + 1)) % 4 !== 0) {
      throw new ShapeError(
        `Cannot copy rows of [${from.capacity}]: float16 is copied in words, which have two of them`,
      );
    }
    if (!this.#drops) copyRows(this.#recorder, fromBuffer, toBuffer, from, copies);
  }

  enqueue(run: Run, sizes?: Sizes): void {
    this.#checkLive();
    const record = (run as GpuRun).execution(sizes);
    if (!this.#drops) record(this.#recorder);
  }

  async read(source: DeviceTensor, { shape = source.capacity, into }: ReadOptions = {}): Promise<Tensor> {
    this.#checkLive();
    const { buffer, size, elementBytes } = source as GpuTensor;
    if (sizeOf(shape) > size) throw new ShapeError(`Cannot read [${shape}]: the buffer is for [${source.capacity}]`);
    const segment = this.#segment;
    const take = (words: ArrayBuffer) => {
      this.#report(segment);
      return fromDevice(source as GpuTensor, shape, words, into);
    };
    this.#report(segment);
    return await this.device.read(this.#recorder, buffer, elementBytes * sizeOf(shape), take, this.#signal);
  }

  #report(segment: Segment): void {
    if (!segment.failure) return;
    if (segment === this.#segment) this.#segment = {};
    throw segment.failure;
  }

  #checkLive(): void {
    this.device.check();
    if (!this.#live) throw new WebGpuError("Cannot use a stream: it was released");
  }

  [Symbol.dispose](): void {
    if (!this.#live) return;
    this.#live = false;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#recorder.flush();
    this.device.counters.liveHandles--;
  }
}

/** Record copies of rows of an array of this shape; the number of rows may differ between the buffers. */
function copyRows(
  recorder: Recorder,
  from: GPUBuffer,
  to: GPUBuffer,
  { capacity: shape, elementBytes }: Pick<GpuTensor, "capacity" | "elementBytes">,
  { rows, axis, length }: RowCopies,
): void {
  const width = elementBytes * sizeOf(shape.slice(axis + 1));
  const heads = sizeOf(shape.slice(1, axis));
  const moved = rows.filter(([a, b]) => from !== to || a !== b);
  const bytes = length * width;
  if (bytes === 0 || moved.length === 0) return;
  const place = (row: number, head: number) => (row * heads + head) * shape[axis] * width;
  const each = (visit: (row: readonly [number, number], head: number, at: number) => void) =>
    moved.forEach((row, i) => {
      for (let head = 0; head < heads; head++) visit(row, head, (i * heads + head) * bytes);
    });
  if (from !== to) {
    each(([a, b], head) => recorder.copy(from, place(a, head), to, place(b, head), bytes));
    return;
  }
  // All rows are read before any is written; nor can a buffer be copied to itself.
  const between = recorder.queue.scratch(moved.length * heads * bytes);
  each(([row], head, at) => recorder.copy(from, place(row, head), between, at, bytes));
  each(([, row], head, at) => recorder.copy(between, at, to, place(row, head), bytes));
}
