// How work reaches a device. Think of each stream as recording into a command encoder of its own, like a letter that it writes
// until it is posted: an invalid command spoils the encoder it is in and no other. An encoder is submitted when its stream
// reads, when a large write needs what was recorded before it, or when the memory that all encoders share for parameters runs
// out. There should be few encoders, since each holds memory until V8 collects it.
import { WebGpuError } from "../../../src/errors/mod.ts";
import { copyToTexels, Texels, writeTexels } from "./texels.ts";
import type { Dispatch } from "../kernels/shader.ts";
import type { DispatchSizes, Trace } from "./trace.ts";

/** The most bytes of parameters and small writes that are recorded and not yet submitted. */
const ringBytes = 1 << 22;
/** Writes up to this size are recorded; larger ones are submitted at once, after what was recorded before them. */
const recordedBytes = ringBytes / 4;
/** writeBuffer is fastest in pieces of this size, each submitted. */
const chunkBytes = 8 << 20;

/** Gets the message of an error. */
export type Report = (message: string) => void;

/** A device's queue: what recorders share. */
export class SubmissionQueue {
  /** The bytes that come from the host with a submission: the parameters of its dispatches, and small writes. */
  readonly ring: GPUBuffer;
  readonly alignment: number;
  readonly #staging = new Uint32Array(ringBytes / 4);
  /** How many bytes of the ring are reserved, and how many of those were written to the device. */
  #used = 0;
  #written = 0;
  /** The recorders that have something to submit. */
  readonly #recording = new Set<Recorder>();
  /** Recorded work that is submitted before that of any stream: zeroing buffers that are handed out again. */
  readonly #preamble: Recorder;
  #scratch: GPUBuffer | undefined;
  /** The errors of what was submitted that are still asked for. */
  readonly #checks = new Set<Promise<unknown>>();
  /** Where dispatches are noted, if they are. */
  trace: Trace | undefined;

  /** @param report Gets errors that belong to no stream. */
  constructor(readonly gpu: GPUDevice, readonly report: Report) {
    const { UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
    this.alignment = gpu.limits.minUniformBufferOffsetAlignment;
    this.ring = gpu.createBuffer({ size: ringBytes, usage: UNIFORM | COPY_DST | COPY_SRC });
    this.#preamble = new Recorder(this, report);
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
    if (this.#used + bytes > ringBytes) {
      this.#preamble.flush();
      this.flush();
    }
    const at = this.#used;
    this.#staging.set(words, at / 4);
    this.#used += bytes;
    return at;
  }

  /** Zero a buffer before anything that is recorded from now on; what was recorded before may still use it. */
  clear(buffer: GPUBuffer): void {
    this.flush();
    this.#preamble.clear(buffer);
  }

  /** Write whole words to a buffer or texels before what streams have recorded and not submitted; `offset` in bytes. */
  write(buffer: GPUBuffer | Texels, data: Uint8Array, offset: number, report: Report): void {
    this.#preamble.flush();
    this.scoped(report, () => {
      for (let at = 0; at < data.length; at += chunkBytes) {
        const part = data.subarray(at, at + chunkBytes);
        if (buffer instanceof Texels) writeTexels(this.gpu.queue, buffer, part as Uint8Array<ArrayBuffer>, offset + at);
        else this.gpu.queue.writeBuffer(buffer, offset + at, part as Uint8Array<ArrayBuffer>);
        if (data.length > chunkBytes) this.gpu.queue.submit([]);
      }
    });
  }

  /** Memory for a copy that is recorded and used at once; the next caller gets the same memory. */
  scratch(bytes: number): GPUBuffer {
    if (!this.#scratch || this.#scratch.size < bytes) {
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      this.flush();
      this.#scratch?.destroy();
      this.#scratch = this.gpu.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
    }
    return this.#scratch;
  }

  /** Submit what all streams have recorded. */
  flush(): void {
    for (const recorder of this.#recording) if (recorder !== this.#preamble) recorder.flush();
  }

  /** Note that a recorder has begun to record. */
  begin(recorder: Recorder): void {
    this.#recording.add(recorder);
  }

  /** Submit what a recorder has recorded, if anything. */
  submit(recorder: Recorder, encoder?: GPUCommandEncoder): void {
    if (encoder && recorder !== this.#preamble) this.#preamble.flush();
    if (encoder && this.#used > this.#written) {
      const [from, size] = [this.#written / 4, (this.#used - this.#written) / 4];
      this.gpu.queue.writeBuffer(this.ring, this.#written, this.#staging, from, size);
      this.#written = this.#used;
    }
    if (encoder) this.scoped(recorder.report, () => this.gpu.queue.submit([encoder.finish()]));
    this.#recording.delete(recorder);
    if (this.#recording.size === 0) this.#used = this.#written = 0;
  }

  /** Call `act`, and report the errors of the device that it causes. */
  scoped<T>(report: Report, act: () => T): T {
    const filters = ["validation", "out-of-memory", "internal"] as const;
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    try {
      return act();
    } finally {
      // A device that is lost has no scopes.
      for (const _ of filters) {
        const check = this.gpu.popErrorScope().then((error) => error && report(error.message), () => {});
        this.#checks.add(check);
        check.then(() => this.#checks.delete(check));
      }
    }
  }

  /** Wait until what was submitted is known to be valid, or its errors are reported. */
  async checked(): Promise<void> {
    await Promise.all(this.#checks);
  }

  /** Release its buffers. */
  close(): void {
    this.ring.destroy();
    this.#scratch?.destroy();
  }
}

/** Records one stream's work in order and submits it. */
export class Recorder {
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;

  /** @param report Gets the errors of the recorded work. */
  constructor(readonly queue: SubmissionQueue, readonly report: Report) {}

  /** The pass that dispatches are recorded into. */
  get pass(): GPUComputePassEncoder {
    return this.#pass ??= this.#commands().beginComputePass();
  }

  /** The pass that a dispatch is recorded into: where dispatches are traced, one of its own. */
  passOf(dispatch: Dispatch, sizes: () => DispatchSizes): GPUComputePassEncoder {
    const { trace } = this.queue;
    if (!trace) return this.pass;
    const descriptor = trace.note(dispatch, sizes());
    return this.#pass = this.#commands().beginComputePass(descriptor);
  }

  /** Queue a copy of whole words from the host, `offset` in bytes. */
  write(buffer: GPUBuffer, data: Uint8Array, offset = 0): void {
    if (this.#encoder && data.length <= recordedBytes) {
      const at = this.queue.reserve(new Uint32Array(data.buffer, data.byteOffset, data.length / 4));
      this.copy(this.queue.ring, at, buffer, offset, data.length);
      return;
    }
    this.flush();
    this.queue.write(buffer, data, offset, this.report);
  }

  /** Record a copy between buffers, in bytes. */
  copy(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.#commands().copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
  }

  /** Record a copy of the beginning of a buffer, or from a byte on, to texels from byte `to` on. */
  copyToTexels(from: GPUBuffer, offset: number, texels: Texels, to: number, bytes: number): void {
    copyToTexels(this.#commands(), from, { from: offset, to: offset + bytes }, texels, to);
  }

  /** Record zeroing a buffer. */
  clear(buffer: GPUBuffer): void {
    this.#commands().clearBuffer(buffer);
  }

  /** Submit what is recorded. */
  flush(): void {
    const encoder = this.#encoder;
    if (!encoder) return;
    this.#pass?.end();
    this.#encoder = this.#pass = undefined;
    this.queue.submit(this, encoder);
  }

  /** Drop what is recorded and not submitted. */
  discard(): void {
    this.#pass?.end();
    this.#encoder = this.#pass = undefined;
    this.queue.submit(this);
  }

  /** The encoder, outside of any pass. */
  #commands(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = undefined;
    if (!this.#encoder) {
      this.#encoder = this.queue.gpu.createCommandEncoder();
      this.queue.begin(this);
    }
    return this.#encoder;
  }
}
