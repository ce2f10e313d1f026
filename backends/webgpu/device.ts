// One GPU device and its queue. Work is recorded into one submission, which goes out when a read or a host's write needs it.
import { abortable } from "../../src/abortable.ts";
import { DeviceLostError, type LimnerError, WebGpuError } from "../../src/errors.ts";
import type { Dispatch } from "./kernels/shader.ts";

/** Bytes of parameters that one submission may use. */
const ringBytes = 1 << 22;
/** writeBuffer is fastest in pieces of this size, each submitted. */
const chunkBytes = 8 << 20;

/** A compiled kernel. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** What a device counts. */
export interface DeviceCounters {
  runs: number;
  dispatches: number;
  waits: number;
  bytesRead: number;
  liveHandles: number;
  weightBytes: number;
}

/** A device, its pipelines, its queue and its errors. */
export class Device {
  readonly counters: DeviceCounters = {
    runs: 0,
    dispatches: 0,
    waits: 0,
    bytesRead: 0,
    liveHandles: 0,
    weightBytes: 0,
  };
  /** The parameters of the dispatches that are recorded. */
  readonly ring: GPUBuffer;
  readonly alignment: number;
  readonly #staging = new Uint32Array(ringBytes / 4);
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  #used = 0;
  #scratch: GPUBuffer | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #failure: LimnerError | undefined;
  #lost: DeviceLostError | undefined;
  #closed = false;

  constructor(readonly gpu: GPUDevice) {
    this.alignment = gpu.limits.minUniformBufferOffsetAlignment;
    this.ring = gpu.createBuffer({ size: ringBytes, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
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
  createBuffer(
    bytes: number,
    usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  ): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.gpu.limits.maxBufferSize) {
      throw new WebGpuError(`Cannot allocate ${size} bytes: a buffer has at most ${this.gpu.limits.maxBufferSize}`);
    }
    this.counters.liveHandles++;
    return this.gpu.createBuffer({ size, usage });
  }

  /** Release a buffer; recorded work that uses it is submitted before. */
  release(buffer: GPUBuffer): void {
    this.flush();
    this.counters.liveHandles--;
    buffer.destroy();
  }

  /** Memory to put something aside within what is recorded at once; the next caller is given the same. */
  scratch(bytes: number): GPUBuffer {
    if (!this.#scratch || this.#scratch.size < bytes) {
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      this.flush();
      this.#scratch?.destroy();
      this.#scratch = this.gpu.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
    }
    return this.#scratch;
  }

  /** Queue a copy from the host, `offset` in bytes. */
  write(buffer: GPUBuffer, data: Uint8Array, offset = 0): void {
    this.flush();
    for (let at = 0; at < data.length; at += chunkBytes) {
      const part = data.subarray(at, at + chunkBytes);
      this.gpu.queue.writeBuffer(buffer, offset + at, part as Uint8Array<ArrayBuffer>);
      if (data.length > chunkBytes) this.gpu.queue.submit([]);
    }
  }

  /**
   * Make room for the parameters of a run.
   *
   * @returns Where they begin in the ring, in bytes.
   */
  reserve(block: Uint32Array): number {
    if (block.byteLength > ringBytes) {
      throw new WebGpuError(
        `Cannot run: the program's parameters take ${block.byteLength} bytes, at most ${ringBytes} fit`,
      );
    }
    if (this.#used + block.byteLength > ringBytes) this.flush();
    const at = this.#used;
    this.#staging.set(block, at / 4);
    this.#used += block.byteLength;
    return at;
  }

  /** The pass that dispatches are recorded into. */
  get pass(): GPUComputePassEncoder {
    return this.#pass ??= this.#commands().beginComputePass();
  }

  /** Record a copy between buffers, in bytes. */
  copy(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.#commands().copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
  }

  /** Submit what is recorded. */
  flush(): void {
    if (!this.#encoder) return;
    this.#pass?.end();
    if (this.#used > 0) this.gpu.queue.writeBuffer(this.ring, 0, this.#staging, 0, this.#used / 4);
    this.gpu.queue.submit([this.#encoder.finish()]);
    this.#encoder = this.#pass = undefined;
    this.#used = 0;
  }

  /**
   * Wait for all queued work and copy bytes to the host: one await.
   *
   * @throws {WebGpuError} If queued work failed.
   */
  async read(buffer: GPUBuffer, bytes: number, signal?: AbortSignal): Promise<ArrayBuffer> {
    signal?.throwIfAborted();
    this.check();
    const size = Math.max(4, bytes);
    const staging = this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    this.copy(buffer, 0, staging, 0, size);
    this.flush();
    this.counters.waits++;
    const mapped = staging.mapAsync(GPUMapMode.READ);
    try {
      await abortable(mapped, signal);
      this.#throwFailure();
      this.counters.bytesRead += bytes;
      return staging.getMappedRange().slice(0, bytes);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // The message of the map says only that it failed; the cause comes by other ways, which need a turn of the loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#throwFailure();
      throw new WebGpuError(`Cannot read from the GPU: ${(error as Error).message}`, { cause: error });
    } finally {
      mapped.then(() => staging.destroy(), () => staging.destroy());
    }
  }

  /** Compile a kernel, once. */
  compile({ label, code, writes }: Dispatch): Promise<Pipeline> {
    // Equal code has equal bindings: their access stands in it.
    let pipeline = this.#pipelines.get(code);
    if (!pipeline) {
      pipeline = this.#compile(label, code, writes);
      pipeline.catch(() => this.#pipelines.delete(code));
      this.#pipelines.set(code, pipeline);
    }
    return pipeline;
  }

  async #compile(label: string, code: string, writes: readonly boolean[]): Promise<Pipeline> {
    this.check();
    // Caught here, so that no later read is told of it.
    this.gpu.pushErrorScope("validation");
    const module = this.gpu.createShaderModule({ label, code });
    await this.gpu.popErrorScope();
    const problems = (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error");
    if (problems.length > 0) {
      const lines = problems.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ");
      throw new WebGpuError(`Cannot compile the kernel ${label}: ${lines}`);
    }
    const layout = this.gpu.createBindGroupLayout({
      label,
      entries: [
        { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } },
        ...writes.map((writable, i) => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: writable ? "storage" : "read-only-storage" } as GPUBufferBindingLayout,
        })),
      ],
    });
    try {
      const pipeline = await this.gpu.createComputePipelineAsync({
        label,
        layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      return { pipeline, layout };
    } catch (error) {
      this.check();
      throw new WebGpuError(`Cannot compile the kernel ${label}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The encoder, outside of any pass. */
  #commands(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = undefined;
    return this.#encoder ??= this.gpu.createCommandEncoder();
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
    this.ring.destroy();
    this.#scratch?.destroy();
    this.gpu.destroy();
  }
}
