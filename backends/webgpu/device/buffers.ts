// The buffers that come and go with generations. What hangs on a WebGPU object is freed when V8 collects the object, and V8,
// which does not know how much that is, has no reason to do so soon: so buffers that are given back are handed out again,
// the same ones for the same wishes, and with them the bind groups that name them (bind_groups.ts).
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { Queue } from "./submissions.ts";

/** Bytes of buffers without users that are kept at most. */
const mostIdleBytes = 128 << 20;

/** Pooled buffers by their size in bytes. */
type Shelf = Map<number, Pooled[]>;

/** A buffer and how many use it. */
interface Pooled {
  readonly buffer: GPUBuffer;
  readonly shelf: Shelf;
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
  readonly queue: Queue;
  /** Make something that work will use; where that fails the work does. */
  making<T>(make: () => T): T;
}

/** A device's buffers. */
export class Buffers {
  readonly #tensors: Shelf = new Map();
  readonly #temporaries: Shelf = new Map();
  /** Buffers without users, the one that is so for the longest time first. */
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
   * Buffers of these sizes for what a run holds only while it is executed: all who ask are given the same.
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

  /** Keep what is given back for those who ask next, until as many have said `leave`. */
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

  /** Recorded work that uses the buffer is submitted before. */
  #destroy(buffer: GPUBuffer): void {
    this.device.queue.flush();
    buffer.destroy();
    this.device.counters.deviceBytes -= buffer.size;
  }

  #add(shelf: Shelf, bytes: number): Pooled {
    const added = { buffer: this.#create(bytes), shelf, users: 0 };
    const alike = shelf.get(added.buffer.size);
    if (alike) alike.push(added);
    else shelf.set(added.buffer.size, [added]);
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
      const { buffer, shelf } = pooled;
      this.#idle.delete(pooled);
      this.#idleBytes -= buffer.size;
      const alike = shelf.get(buffer.size)!;
      alike.splice(alike.indexOf(pooled), 1);
      if (alike.length === 0) shelf.delete(buffer.size);
      this.#destroy(buffer);
    }
  }
}

function sizeFor(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}
