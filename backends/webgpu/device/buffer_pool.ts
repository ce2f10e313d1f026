// A pool of buffers. The memory of a WebGPU object is freed when V8 collects the object, and V8, which does not know how much
// memory that is, has no reason to do so soon: so buffers that are released are handed out again, the same buffers for the
// same sizes, so that the bind groups that refer to them can be reused too (bind_group_cache.ts).
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { SubmissionQueue } from "./submission_queue.ts";

/** The most bytes of idle buffers that the pool keeps. */
const mostIdleBytes = 128 << 20;

/** Pooled buffers by their size in bytes. */
type BuffersBySize = Map<number, Pooled[]>;

/** A buffer and how many use it. */
interface Pooled {
  readonly buffer: GPUBuffer;
  readonly bySize: BuffersBySize;
  users: number;
}

/** A buffer in use. */
export interface Lease extends Disposable {
  readonly buffer: GPUBuffer;
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
  readonly #tensors: BuffersBySize = new Map();
  readonly #temporaries: BuffersBySize = new Map();
  /** Buffers without users, the one that has been idle longest first. */
  readonly #idle = new Set<Pooled>();
  #idleBytes = 0;
  #keepers = 0;

  constructor(readonly device: BufferDevice) {}

  /** A zeroed buffer outside of the pool. */
  create(bytes: number): GPUBuffer {
    const buffer = this.#create(bytes);
    this.device.counters.liveHandles++;
    return buffer;
  }

  /** Release a buffer outside of the pool. */
  release(buffer: GPUBuffer): void {
    this.#destroy(buffer);
    this.device.counters.liveHandles--;
  }

  /** A zeroed buffer for one user. */
  take(bytes: number): Lease {
    const free = this.#tensors.get(sizeFor(bytes))?.find(({ users }) => users === 0);
    if (free) this.device.queue.clear(free.buffer);
    return this.#lease(free ?? this.#add(this.#tensors, bytes));
  }

  /**
   * Buffers of these sizes for a run's temporaries, which it needs only while it is executed: all runs get the same buffers.
   *
   * @throws {WebGpuError} If a size is too large; then none are given.
   */
  borrow(sizes: readonly number[]): Lease[] {
    const borrowed = new Map<number, number>();
    const leases: Lease[] = [];
    try {
      for (const bytes of sizes) {
        const size = sizeFor(bytes);
        const n = borrowed.get(size) ?? 0;
        borrowed.set(size, n + 1);
        leases.push(this.#lease(this.#temporaries.get(size)?.[n] ?? this.#add(this.#temporaries, bytes)));
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

  /** Destroy a buffer, after submitting recorded work that may use it. */
  #destroy(buffer: GPUBuffer): void {
    this.device.queue.flush();
    buffer.destroy();
    this.device.counters.deviceBytes -= buffer.size;
  }

  #add(bySize: BuffersBySize, bytes: number): Pooled {
    const added = { buffer: this.#create(bytes), bySize, users: 0 };
    const alike = bySize.get(added.buffer.size);
    if (alike) alike.push(added);
    else bySize.set(added.buffer.size, [added]);
    return added;
  }

  #lease(pooled: Pooled): Lease {
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
      const alike = bySize.get(buffer.size)!;
      alike.splice(alike.indexOf(pooled), 1);
      if (alike.length === 0) bySize.delete(buffer.size);
      this.#destroy(buffer);
    }
  }
}

function sizeFor(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}
