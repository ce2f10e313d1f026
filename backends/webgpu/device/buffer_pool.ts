// A pool of buffers. The memory of a WebGPU object is freed when V8 collects the object, and V8, which does not know how much
// memory that is, has no reason to do so soon: so buffers that are released are handed out again, the same buffers for the
// same sizes, so that the bind groups that refer to them can be reused too (bind_group_cache.ts).
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { SubmissionQueue } from "./submission_queue.ts";
import { mostTexelBytes, type TexelFormat, Texels, texelSizeFor } from "./texels.ts";

/** The most bytes of idle buffers that the pool keeps. */
const mostIdleBytes = 128 << 20;

/** What is pooled: buffers, and textures that are used as such. */
type Memory = GPUBuffer | Texels;

/** Pooled memory of one kind by its size in bytes. */
type BySize<M extends Memory> = Map<number, Pooled<M>[]>;

/** Memory and how many use it. */
interface Pooled<M extends Memory> {
  readonly buffer: M;
  readonly bySize: BySize<M>;
  users: number;
}

/** Memory in use. */
export interface Lease<M extends Memory = GPUBuffer> extends Disposable {
  readonly buffer: M;
}

/** Where buffers are made: a device. */
export interface BufferDevice {
  readonly gpu: GPUDevice;
  readonly counters: { deviceBytes: number; liveHandles: number };
  readonly queue: SubmissionQueue;
  /** Make an object that work will use; where that fails, the work that uses it fails too. */
  making<T>(make: () => T): T;
}

/** A device's buffers. */
export class BufferPool {
  readonly #tensors: BySize<GPUBuffer> = new Map();
  readonly #temporaries: BySize<GPUBuffer> = new Map();
  readonly #texels: BySize<Texels> = new Map();
  /** What has no users, what has been idle longest first. */
  readonly #idle = new Set<Pooled<Memory>>();
  #idleBytes = 0;
  #keepers = 0;

  constructor(readonly device: BufferDevice) {}

  /** A zeroed buffer outside of the pool. */
  create(bytes: number): GPUBuffer {
    const buffer = this.#create(bytes);
    this.device.counters.liveHandles++;
    return buffer;
  }

  /** Release a buffer, or texels that were created, outside of the pool. */
  release(buffer: Memory): void {
    this.destroy(buffer);
    this.device.counters.liveHandles--;
  }

  /** Texels, counted as bytes. */
  createTexels(bytes: number, format?: TexelFormat): Texels {
    const { gpu, counters } = this.device;
    const most = mostTexelBytes(gpu.limits);
    if (bytes > most) throw new WebGpuError(`Cannot allocate texels of ${bytes} bytes: a texture has at most ${most}`);
    const texels = this.device.making(() => new Texels(gpu, bytes, format));
    counters.deviceBytes += texels.size;
    return texels;
  }

  /** Destroy a buffer or texels, after submitting recorded work that may use it. */
  destroy(buffer: Memory): void {
    this.device.queue.flush();
    buffer.destroy();
    this.device.counters.deviceBytes -= buffer.size;
  }

  /** A zeroed buffer for one user. */
  take(bytes: number): Lease {
    const free = this.#tensors.get(sizeFor(bytes))?.find(({ users }) => users === 0);
    if (free) this.device.queue.clear(free.buffer);
    return this.#lease(free ?? this.#add(this.#tensors, this.#create(bytes)));
  }

  /**
   * Buffers of these sizes for a run's temporaries, which it needs only while it is executed: all runs get the same buffers.
   *
   * @throws {WebGpuError} If a size is too large; then none are given.
   */
  borrow(sizes: readonly number[]): Lease[] {
    return this.#borrow(sizes.map(sizeFor), this.#temporaries, (bytes) => this.#create(bytes));
  }

  /** Textures of these sizes for a run's texels, likewise. */
  borrowTexels(sizes: readonly number[]): Lease<Texels>[] {
    return this.#borrow(sizes.map(texelSizeFor), this.#texels, (bytes) => this.createTexels(bytes));
  }

  #borrow<M extends Memory>(sizes: readonly number[], bySize: BySize<M>, create: (bytes: number) => M): Lease<M>[] {
    const borrowed = new Map<number, number>();
    const leases: Lease<M>[] = [];
    try {
      for (const size of sizes) {
        const n = borrowed.get(size) ?? 0;
        borrowed.set(size, n + 1);
        leases.push(this.#lease(bySize.get(size)?.[n] ?? this.#add(bySize, create(size))));
      }
    } catch (error) {
      for (const lease of leases) lease[Symbol.dispose]();
      throw error;
    }
    return leases;
  }

  /** Keep idle buffers, until {@linkcode leave} was called as often as this. */
  keep(): void {
    this.#keepers++;
  }

  /** Undo a {@linkcode keep}. */
  leave(): void {
    this.#keepers--;
    this.#trim();
  }

  #create(bytes: number): GPUBuffer {
    const size = sizeFor(bytes);
    const { gpu } = this.device;
    const { maxBufferSize } = gpu.limits;
    if (size > maxBufferSize) {
      throw new WebGpuError(`Cannot allocate ${size} bytes: a buffer has at most ${maxBufferSize}`);
    }
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const usage = STORAGE | COPY_DST | COPY_SRC;
    const buffer = this.device.making(() => gpu.createBuffer({ size, usage }));
    this.device.counters.deviceBytes += size;
    return buffer;
  }

  #add<M extends Memory>(bySize: BySize<M>, buffer: M): Pooled<M> {
    const added = { buffer, bySize, users: 0 };
    const alike = bySize.get(buffer.size);
    if (alike) alike.push(added);
    else bySize.set(buffer.size, [added]);
    return added;
  }

  #lease<M extends Memory>(pooled: Pooled<M>): Lease<M> {
    const { buffer } = pooled;
    if (this.#idle.delete(pooled)) this.#idleBytes -= buffer.size;
    const { counters } = this.device;
    pooled.users++;
    counters.liveHandles++;
    let live = true;
    const dispose = () => {
      if (!live) return;
      live = false;
      counters.liveHandles--;
      if (--pooled.users > 0) return;
      this.#idle.add(pooled);
      this.#idleBytes += buffer.size;
      this.#trim();
    };
    return { buffer, [Symbol.dispose]: dispose };
  }

  #trim(): void {
    const most = this.#keepers > 0 ? mostIdleBytes : 0;
    for (const pooled of this.#idle) {
      if (this.#idleBytes <= most) break;
      const { buffer, bySize } = pooled;
      this.#idle.delete(pooled);
      this.#idleBytes -= buffer.size;
      const alike: Pooled<Memory>[] = bySize.get(buffer.size)!;
      alike.splice(alike.indexOf(pooled), 1);
      if (alike.length === 0) bySize.delete(buffer.size);
      this.destroy(buffer);
    }
  }
}

function sizeFor(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}
