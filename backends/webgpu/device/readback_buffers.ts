// Buffers that the host can map, into which reads copy; later reads use them again. In Deno mapAsync blocks until the device has done
// all that was submitted, and its promise then sleeps for 10 ms; where it is known to do no harm, the memory is looked at
// before that, and given back after it.
import { takeTurn } from "../../../src/async/delay.ts";

/** Larger buffers are not kept for later reads, in bytes. */
const keptBytes = 1 << 22;

/**
 * The versions of Deno in which memory can be looked at as soon as mapAsync has returned. Nothing promises it, and in another
 * version the process might end, so that only those are named for which tests/backends/webgpu/reads_test.ts passed.
 */
const versionsThatMapAtOnce = ["2.9.6"];

/** How long reads that sleep no more may keep others waiting, in milliseconds: a turn of the event loop takes two. */
const longestWait = 40;

/** Whether a read need not wait for the promise of mapAsync. @param version Deno's; undefined elsewhere. */
export function mapsAtOnce(version: string | undefined): boolean {
  return version !== undefined && versionsThatMapAtOnce.includes(version);
}

/** A device's buffers for reads. */
export class ReadbackBuffers {
  readonly #free: GPUBuffer[] = [];
  /** When others had a turn of the event loop. */
  #turned = performance.now();

  /** @param isAtOnce Whether mapped memory is looked at before the promise of mapAsync has resolved. */
  constructor(readonly gpu: GPUDevice, readonly isAtOnce = mapsAtOnce(globalThis.Deno?.version?.deno)) {}

  /** Memory of at least so many bytes. */
  take(bytes: number): GPUBuffer {
    const free = this.#free.findIndex(({ size }) => size >= bytes);
    if (free >= 0) return this.#free.splice(free, 1)[0];
    const size = bytes > keptBytes ? bytes : 2 ** Math.ceil(Math.log2(bytes));
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.gpu.createBuffer({ size, usage, mappedAtCreation: this.isAtOnce });
    // Deno ends the process where mapped memory is looked at whose buffer never was mapped to the end.
    if (this.isAtOnce) unmap(staging);
    return staging;
  }

  /** Map memory for the host. In Deno it blocks until the device has done what was submitted. */
  map(staging: GPUBuffer, bytes: number): Promise<void> {
    return staging.mapAsync(GPUMapMode.READ, 0, bytes);
  }

  /** Let others have a turn of the event loop where reads that sleep no more have kept them waiting for long. */
  async takeTurn(): Promise<void> {
    if (performance.now() - this.#turned < longestWait) return;
    await takeTurn();
    this.#turned = performance.now();
  }

  /** Give memory back that was mapped. */
  give(staging: GPUBuffer): void {
    if (!unmap(staging)) return;
    if (staging.size > keptBytes) staging.destroy();
    else this.#free.push(staging);
  }

  /** Give memory back that could not be mapped. */
  drop(staging: GPUBuffer): void {
    staging.destroy();
  }
}

/** Unmap memory; false where the device was lost or destroyed, and the memory with it. */
function unmap(staging: GPUBuffer): boolean {
  try {
    staging.unmap();
    return true;
  } catch {
    return false;
  }
}
