// One GPU device: its queue, its buffers, its pipelines, and its errors, which a read tells of.
import { abortable } from "../../src/abortable.ts";
import { DeviceLostError, type LimnerError, WebGpuError } from "../../src/errors.ts";
import { Buffers } from "./buffers.ts";
import type { Dispatch } from "./kernels/shader.ts";
import { type Pipeline, Pipelines } from "./pipelines.ts";
import { Queue } from "./queue.ts";

/** Memory to map that is larger is not kept for the next read. */
const keptStagingBytes = 1 << 22;

/** What a device counts. */
export interface DeviceCounters {
  runs: number;
  dispatches: number;
  waits: number;
  bytesRead: number;
  liveHandles: number;
  weightBytes: number;
  /** The most bytes of parameters that were under way to the device. */
  uploadPeak: number;
}

/** A device, its queue, its buffers, its pipelines and its errors. */
export class Device {
  readonly counters: DeviceCounters = {
    runs: 0,
    dispatches: 0,
    waits: 0,
    bytesRead: 0,
    liveHandles: 0,
    weightBytes: 0,
    uploadPeak: 0,
  };
  readonly queue: Queue;
  readonly buffers: Buffers;
  readonly #pipelines: Pipelines;
  /** Memory that reads were copied to, for those to come. */
  readonly #staging: GPUBuffer[] = [];
  #failure: LimnerError | undefined;
  #lost: DeviceLostError | undefined;
  #closed = false;

  constructor(readonly gpu: GPUDevice) {
    this.queue = new Queue(gpu);
    this.buffers = new Buffers(gpu, this.queue, this.counters);
    this.#pipelines = new Pipelines(gpu, () => this.check());
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

  /** Keep an error for the next read; the first one is the cause of the others. */
  fail(message: string): void {
    this.#failure ??= new WebGpuError(`Cannot run on the GPU: ${message}`);
  }

  /** @throws {WebGpuError} If the device is lost. */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  /** A zeroed buffer, counted until it is released. */
  createBuffer(bytes: number): GPUBuffer {
    return this.buffers.create(bytes);
  }

  /** Release a buffer that was created; recorded work that uses it is submitted before. */
  release(buffer: GPUBuffer): void {
    this.buffers.release(buffer);
  }

  /** Queue a copy of whole words from the host, `offset` in bytes. */
  write(buffer: GPUBuffer, data: Uint8Array, offset = 0): void {
    this.queue.write(buffer, data, offset);
  }

  /** Queue a copy between buffers, in bytes. */
  copy(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.queue.copy(from, fromOffset, to, toOffset, bytes);
  }

  /** Compile a kernel, once. */
  compile(dispatch: Dispatch): Promise<Pipeline> {
    return this.#pipelines.compile(dispatch);
  }

  /**
   * Wait for all queued work and take bytes to the host: one await.
   *
   * @param take Copies what it needs of the bytes, which may be followed by others and are gone afterwards.
   * @throws {WebGpuError} If queued work failed.
   */
  async read<T>(
    buffer: GPUBuffer,
    bytes: number,
    take: (bytes: ArrayBuffer) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    this.check();
    const size = Math.max(4, bytes);
    const staging = this.#takeStaging(size);
    this.copy(buffer, 0, staging, 0, size);
    this.queue.flush();
    this.counters.waits++;
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, size);
    try {
      await abortable(mapped, signal);
      this.#throwFailure();
      this.counters.bytesRead += bytes;
      return take(staging.getMappedRange(0, size));
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // The message of the map says only that it failed; the cause comes by other ways, which need a turn of the loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#throwFailure();
      throw new WebGpuError(`Cannot read from the GPU: ${(error as Error).message}`, { cause: error });
    } finally {
      mapped.then(() => this.#giveStaging(staging), () => staging.destroy());
    }
  }

  /** Memory that the host can map. */
  #takeStaging(bytes: number): GPUBuffer {
    const free = this.#staging.findIndex(({ size }) => size >= bytes);
    if (free >= 0) return this.#staging.splice(free, 1)[0];
    const size = bytes > keptStagingBytes ? bytes : 2 ** Math.ceil(Math.log2(bytes));
    return this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  #giveStaging(staging: GPUBuffer): void {
    staging.unmap();
    if (staging.size > keptStagingBytes) staging.destroy();
    else this.#staging.push(staging);
  }

  #throwFailure(): void {
    const failure = this.#lost ?? this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  /** Release the device and all that is left on it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.queue.close();
    this.gpu.destroy();
  }
}
