// A device's queue. Work is recorded into one submission, which goes out when a read or a large write needs it: a command
// encoder holds memory until it is collected, so that there should be few.
import { WebGpuError } from "../../src/errors.ts";

/** Bytes of parameters and of small writes that one submission may have. */
const ringBytes = 1 << 22;
/** Writes up to this size are recorded; others go before what is recorded after them. */
const recordedBytes = ringBytes / 4;
/** writeBuffer is fastest in pieces of this size, each submitted. */
const chunkBytes = 8 << 20;

/** Records work in order and submits it. */
export class Queue {
  /** The bytes that come from the host with a submission: the parameters of its dispatches, and small writes. */
  readonly ring: GPUBuffer;
  readonly alignment: number;
  readonly #staging = new Uint32Array(ringBytes / 4);
  #used = 0;
  #scratch: GPUBuffer | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;

  constructor(readonly gpu: GPUDevice) {
    const { UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
    this.alignment = gpu.limits.minUniformBufferOffsetAlignment;
    this.ring = gpu.createBuffer({ size: ringBytes, usage: UNIFORM | COPY_DST | COPY_SRC });
  }

  /** The pass that dispatches are recorded into. */
  get pass(): GPUComputePassEncoder {
    return this.#pass ??= this.#commands().beginComputePass();
  }

  /**
   * Make room for words that are sent with what is recorded next, such as the parameters of a run.
   *
   * @returns Where they begin in the ring, in bytes.
   */
  reserve(words: Uint32Array): number {
    const bytes = Math.ceil(words.byteLength / this.alignment) * this.alignment;
    if (bytes > ringBytes) {
      throw new WebGpuError(`Cannot run: the program's parameters take ${bytes} bytes, at most ${ringBytes} fit`);
    }
    if (this.#used + bytes > ringBytes) this.flush();
    const at = this.#used;
    this.#staging.set(words, at / 4);
    this.#used += bytes;
    return at;
  }

  /** Queue a copy of whole words from the host, `offset` in bytes. */
  write(buffer: GPUBuffer, data: Uint8Array, offset = 0): void {
    if (this.#encoder && data.length <= recordedBytes) {
      const at = this.reserve(new Uint32Array(data.buffer, data.byteOffset, data.length / 4));
      this.copy(this.ring, at, buffer, offset, data.length);
      return;
    }
    this.flush();
    for (let at = 0; at < data.length; at += chunkBytes) {
      const part = data.subarray(at, at + chunkBytes);
      this.gpu.queue.writeBuffer(buffer, offset + at, part as Uint8Array<ArrayBuffer>);
      if (data.length > chunkBytes) this.gpu.queue.submit([]);
    }
  }

  /** Record a copy between buffers, in bytes. */
  copy(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.#commands().copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
  }

  /** Record zeroing a buffer. */
  clear(buffer: GPUBuffer): void {
    this.#commands().clearBuffer(buffer);
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

  /** Submit what is recorded. */
  flush(): void {
    if (!this.#encoder) return;
    this.#pass?.end();
    if (this.#used > 0) this.gpu.queue.writeBuffer(this.ring, 0, this.#staging, 0, this.#used / 4);
    this.gpu.queue.submit([this.#encoder.finish()]);
    this.#encoder = this.#pass = undefined;
    this.#used = 0;
  }

  /** Release its buffers. */
  close(): void {
    this.ring.destroy();
    this.#scratch?.destroy();
  }

  /** The encoder, outside of any pass. */
  #commands(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = undefined;
    return this.#encoder ??= this.gpu.createCommandEncoder();
  }
}
