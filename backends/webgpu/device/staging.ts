// Memory that the host can map, which reads copy to: it is used again by those to come.

/** Memory that is larger is not kept for the next read, in bytes. */
const keptBytes = 1 << 22;

/** A device's memory for reads. */
export class Staging {
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
