// One GPU device: its queue, its buffers, its pipelines, and its errors, which a read reports.
import { abortable } from "../../../src/async/abortable.ts";
import { DeviceLostError, LimnerError, WebGpuError } from "../../../src/errors/mod.ts";
import { newCounters } from "../../../src/graph/mod.ts";
import { type BufferDevice, BufferPool } from "./buffer_pool.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { type Pipeline, Pipelines } from "./pipelines.ts";
import { type Recorder, SubmissionQueue } from "./submission_queue.ts";
import type { TexelFormat, Texels } from "./texels.ts";
import { Trace } from "./trace.ts";
import { ReadbackBuffers } from "./readback_buffers.ts";

/** A device, its queue, its buffers, its pipelines and its errors. */
export class Device implements BufferDevice {
  /** `uploadPeak` is the most bytes of parameters that were under way to the device. */
  readonly counters = { ...newCounters(), uploadPeak: 0 };
  readonly queue: SubmissionQueue;
  readonly buffers: BufferPool;
  /** The most bytes of one binding. */
  maxBinding: number;
  readonly #pipelines: Pipelines;
  readonly #staging: ReadbackBuffers;
  /** An error that belongs to no stream. */
  #failure: string | undefined;
  /** Errors of making objects that streams use: the work that uses such an object fails, and reports these as the cause. */
  readonly #causes = new Set<string>();
  #lost: DeviceLostError | undefined;
  /** Reads under way. */
  readonly #reads = new Set<Promise<unknown>>();
  #closed = false;

  /** @param enabling What kernels that use subgroups begin with. */
  constructor(readonly gpu: GPUDevice, enabling = "") {
    this.maxBinding = gpu.limits.maxStorageBufferBindingSize;
    this.queue = new SubmissionQueue(gpu, (message) => this.fail(message));
    this.buffers = new BufferPool(this);
    this.#staging = new ReadbackBuffers(gpu);
    this.#pipelines = new Pipelines(gpu, enabling, () => this.check());
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.fail((event as GPUUncapturedErrorEvent).error.message);
    });
    gpu.lost.then(({ reason, message }) => {
      if (!this.#closed) {
        this.#lost = new DeviceLostError(`Cannot go on: the GPU device was lost (${reason}): ${message}`);
      }
    });
  }

  /** Whether reads take no longer than the work that they wait for. */
  get readsAtOnce(): boolean {
    return this.#staging.isAtOnce;
  }

  /** What was recorded, with times, once {@linkcode startTrace} was called. */
  get trace(): Trace | undefined {
    return this.queue.trace;
  }

  /** Note all dispatches from now on, each in a pass of its own. */
  startTrace(): Trace {
    return this.queue.trace ??= new Trace(this.gpu);
  }

  /** Note dispatches no more. */
  stopTrace(): void {
    this.queue.trace = undefined;
  }

  /** Keep an error that belongs to no stream for the next read of any stream; the first error is the cause of the others. */
  fail(message: string): void {
    this.#failure ??= message;
  }

  /**
   * Make an object that work will use. Where that fails, the work fails too, since the object is invalid.
   */
  making<T>(make: () => T): T {
    return this.queue.scoped((message) => this.#causes.add(message), make);
  }

  /** The error of work, with what is known of its cause. */
  errorOf(message: string): WebGpuError {
    const causes = [...this.#causes].filter((cause) => cause !== message);
    this.#causes.clear();
    const because = causes.length > 0 ? ` (before that: ${causes.join("; ")})` : "";
    return new WebGpuError(`Cannot run on the GPU: ${message}${because}`);
  }

  /** Whether the device is lost, and all that was on it. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** @throws {WebGpuError} If the device is lost, or the backend was closed. */
  check(): void {
    if (this.#lost) throw this.#lost;
    if (this.#closed) throw new WebGpuError("Cannot use the webgpu backend: it was closed");
  }

  /** A zeroed buffer, counted until it is released. */
  createBuffer(bytes: number): GPUBuffer {
    return this.buffers.create(bytes);
  }

  /** Zeroed texels, counted until they are released. */
  createTexels(bytes: number, format?: TexelFormat): Texels {
    const texels = this.buffers.createTexels(bytes, format);
    this.counters.liveHandles++;
    return texels;
  }

  /** Release a buffer or texels that were created; recorded work that uses them is submitted before. */
  release(buffer: GPUBuffer | Texels): void {
    this.buffers.release(buffer);
  }

  /** Compile a kernel, once. */
  compile(dispatch: Dispatch): Promise<Pipeline> {
    return this.#pipelines.compile(dispatch);
  }

  /**
   * Wait for a recorder's work and take bytes to the host: one await.
   *
   * @param take Copies what it needs of the bytes, which may be followed by others and are gone afterwards.
   * @throws {WebGpuError} If the device failed.
   */
  async read<T>(
    recorder: Recorder,
    buffer: GPUBuffer,
    bytes: number,
    take: (bytes: ArrayBuffer) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    this.check();
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const staging = this.#staging.take(size);
    recorder.copy(buffer, 0, staging, 0, size);
    recorder.flush();
    this.counters.waits++;
    // What the caller queues now, without waiting, reaches the device first: in Deno the map blocks until all is done.
    const queued = Promise.resolve();
    const mapped = queued.then(() => this.#staging.map(staging, size));
    const ready = this.#staging.isAtOnce ? queued.then(() => this.#staging.takeTurn()) : mapped;
    // Where it fails while nobody waits for it, looking at the memory does.
    mapped.catch(() => {});
    this.#reads.add(mapped);
    try {
      await abortable(ready, signal);
      await this.queue.checked();
      this.#throwFailure();
      this.counters.bytesRead += bytes;
      return take(staging.getMappedRange(0, size));
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof LimnerError) throw error;
      // The map's message says only that it failed; the cause arrives by other events, which need a turn of the event loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#throwFailure();
      throw new WebGpuError(`Cannot read from the GPU: ${(error as Error).message}`, { cause: error });
    } finally {
      mapped.then(() => this.#staging.give(staging), () => this.#staging.drop(staging))
        .finally(() => this.#reads.delete(mapped));
    }
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    this.check();
    if (failure !== undefined) throw this.errorOf(failure);
  }

  /** Wait for the reads under way, also those that nobody waits for. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#reads);
  }

  /** Release the device and all that is left on it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.queue.close();
    this.gpu.destroy();
  }
}
