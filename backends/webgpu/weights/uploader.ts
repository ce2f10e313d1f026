// Uploading parameters to the device: they are read, converted and packed in pieces, in host memory that is reused, and no
// more bytes than a budget are under way, since the device's queue keeps a copy of what it has not yet written.
import { sizeOf } from "../../../src/tensor/mod.ts";
import type { BlockEncoding, Blocks, StoredWeight } from "../../../src/weights/mod.ts";
import { elementReader } from "../../../src/weights/element_reader.ts";
import { encodeBlocks } from "../../../src/weights/encode_blocks.ts";
import type { Device } from "../device/device.ts";
import type { Texels } from "../device/texels.ts";
import { toDevice } from "../device/gpu_tensor.ts";
import { packBlocks } from "./block_packing.ts";
import {
  type BlockLayout,
  bytesOfOutput,
  type PanelBlockLayout,
  panelWidth,
  type PlainLayout,
  splitRange,
} from "./layout.ts";
import { piecesOf, placePiece } from "./packing.ts";

/** Bytes of parameters that may be under way to the device. */
export const uploadBudget = 64 << 20;
/** Bytes of a piece, which are submitted together. */
const pieceBytes = 2 << 20;

/** Brings parameters to a device, one after the other. */
export class Uploader {
  /** Bytes written since the last mark in the queue, since the last submission, and before the mark. */
  #written = 0;
  #unsubmitted = 0;
  #marked = 0;
  #mark: Promise<unknown> = Promise.resolve();
  /** The first error since the last check. */
  #failure: string | undefined;
  readonly #memory = new Map<string, ArrayBuffer>();

  constructor(readonly device: Device) {}

  /** Write a parameter to a buffer or texels from byte `offset` on; it waits where too many bytes are under way. */
  async write(weight: StoredWeight, layout: PlainLayout, buffer: GPUBuffer | Texels, offset = 0): Promise<void> {
    const { dataType, shape } = weight;
    if ("encoding" in layout) return await this.#writeBlocks(weight, layout, buffer, offset);
    const read = elementReader(weight, (bytes) => this.#take("stored", bytes));
    const memory = (length: number) => new Uint32Array(this.#take("packed", 4 * length), 0, length);
    for (const piece of piecesOf(layout, sizeOf(shape), pieceBytes / 4)) {
      const elements = await read(piece.from, piece.to);
      const words = wordsOf(toDevice(dataType, elements, (bytes) => this.#take("words", bytes)));
      for (const run of placePiece(layout, piece, words, memory)) {
        const bytes = new Uint8Array(run.words.buffer, run.words.byteOffset, run.words.byteLength);
        await this.#pace(bytes.length);
        const report = (message: string) => this.#failure ??= message;
        this.device.queue.write(buffer, bytes, offset + 4 * run.at, report);
      }
    }
  }

  /** Write the codes or the scales of a weight in blocks; one that has none is encoded. */
  async #writeBlocks(
    weight: StoredWeight,
    layout: BlockLayout | PanelBlockLayout,
    buffer: GPUBuffer | Texels,
    offset: number,
  ): Promise<void> {
    const { encoding, kind, from, to } = layout;
    const blocks = await (weight.blocks?.load() ?? encoded(weight, encoding));
    if (kind === "panel codes" || kind === "panel scales") {
      return await this.#writePanels(blocks, layout as PanelBlockLayout, buffer, offset);
    }
    const all = kind === "codes"
      ? blocks.codes
      : new Uint8Array(blocks.scales.buffer, blocks.scales.byteOffset, blocks.scales.byteLength);
    const each = bytesOfOutput(layout);
    for (const piece of splitRange(from * each, to * each, pieceBytes)) {
      const part = all.subarray(piece.from, piece.to);
      await this.#pace(part.length);
      this.device.queue.write(buffer, part, offset + piece.from - from * each, (message) => this.#failure ??= message);
    }
  }

  /** The same of blocks in panels, some whole ones at a time. */
  async #writePanels(
    blocks: Blocks,
    layout: PanelBlockLayout,
    buffer: GPUBuffer | Texels,
    offset: number,
  ): Promise<void> {
    const panel = panelWidth * bytesOfOutput(layout);
    const memory = (bytes: number) => new Uint8Array(this.#take("packed", bytes), 0, bytes);
    const step = Math.max(1, Math.floor(pieceBytes / panel)) * panelWidth;
    for (const piece of splitRange(layout.from, layout.to, step)) {
      const bytes = packBlocks(layout, blocks, piece, memory);
      await this.#pace(bytes.length);
      const at = offset + (piece.from - layout.from) / panelWidth * panel;
      this.device.queue.write(buffer, bytes, at, (message) => this.#failure ??= message);
    }
  }

  /** @throws {WebGpuError} If what was written did not reach its buffer, which may be for want of memory. */
  async check(): Promise<void> {
    // Errors come by promises, in their order: the answer to this question comes after them.
    this.device.gpu.pushErrorScope("validation");
    await this.device.gpu.popErrorScope().catch(() => {});
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw this.device.errorOf(failure);
  }

  /** Submit what is left, and let go of the host's memory. */
  finish(): void {
    this.#submit();
    this.#memory.clear();
  }

  /**
   * Make room in the budget. A wait is for what came before a mark in the queue, which is set when half of the budget
   * has been written since the last: by the next mark the device has mostly gone past it.
   */
  async #pace(bytes: number): Promise<void> {
    if (this.#unsubmitted + bytes > pieceBytes) this.#submit();
    if (this.#written + bytes > uploadBudget / 2) {
      this.#submit();
      await this.#mark;
      // An error surfaces at the next read.
      this.#mark = this.device.gpu.queue.onSubmittedWorkDone().catch(() => {});
      this.device.counters.waits++;
      [this.#marked, this.#written] = [this.#written, 0];
    }
    this.#written += bytes;
    this.#unsubmitted += bytes;
    const { counters } = this.device;
    counters.uploadPeak = Math.max(counters.uploadPeak, this.#marked + this.#written);
  }

  #submit(): void {
    if (this.#unsubmitted > 0) this.device.gpu.queue.submit([]);
    this.#unsubmitted = 0;
  }

  /** Memory for one purpose; the next call for that purpose returns the same memory. */
  #take(purpose: "stored" | "words" | "packed", bytes: number): ArrayBuffer {
    let buffer = this.#memory.get(purpose);
    if (!buffer || buffer.byteLength < bytes) {
      buffer = new ArrayBuffer(Math.max(bytes, pieceBytes));
      this.#memory.set(purpose, buffer);
    }
    return buffer;
  }
}

async function encoded(weight: StoredWeight, encoding: BlockEncoding): Promise<Blocks> {
  const { dataType, data } = await weight.load();
  const values = new Float32Array(wordsOf(toDevice(dataType, data)).slice().buffer);
  return encodeBlocks(values, weight.shape, encoding);
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}
