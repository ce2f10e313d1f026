// Buffers that the host can map, into which reads copy; later reads use them again.

/** Larger buffers are not kept for later reads, in bytes. */
const keptBytes = 1 << 22;

/** A device's buffers for reads. */
export class ReadbackBuffers {
  readonly #free: GPUBuffer[] = [];

  constructor(readonly gpu: GPUDevice) {}

  /** Memory of at least so many bytes. */
  take(bytes: number): GPUBuffer {
    const free = this.#free.findIndex(({ size }) => size >= bytes);
    if (free >= 0) return this.#free.splice(free, 1)[0];
    const size = bytes > keptBytes ? bytes : 2 ** Math.ceil(Math.log2(bytes));
    return this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Wait until the host may look at what was copied there. */
  map(staging: GPUBuffer, bytes: number): Promise<void> {
    return staging.mapAsync(GPUMapMode.READ, 0, bytes);
  }

  /** Give memory back that was mapped. */
  give(staging: GPUBuffer): void {
    try {
      staging.unmap();
    } catch {
      // The device was destroyed while the read was under way, and the memory with it.
      return;
    }
    if (staging.size > keptBytes) staging.destroy();
    else this.#free.push(staging);
  }

  /** Give memory back that could not be mapped. */
  drop(staging: GPUBuffer): void {
    staging.destroy();
  }
}
