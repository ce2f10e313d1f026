// A picture that is encoded into slots, part by part.
import type { Tensor } from "../../tensor/mod.ts";
import type { SlotBuffers } from "../programs/slot_buffers.ts";

/** A picture on its way into slots. */
export interface PictureEncoding {
  /** One for a row, or as many as it has beams. */
  readonly slots: readonly number[];
  /** Parts that are not queued yet. */
  readonly partsLeft: number;
  /** Queue the next part. @returns Whether parts are left. */
  advance(): boolean;
}

/** An encoding on a session's buffers. */
export class Encoding implements PictureEncoding {
  #next = 0;
  #released = false;

  constructor(readonly buffers: SlotBuffers, readonly pixelValues: Tensor, readonly slots: readonly number[]) {}

  get partsLeft(): number {
    return this.#released ? 0 : this.buffers.encodeParts - this.#next;
  }

  /** Give up its slots: nothing more is queued. */
  release(): void {
    this.#released = true;
  }

  advance(): boolean {
    if (this.partsLeft === 0) return false;
    this.buffers.encode(this.#next++, this.pixelValues, this.slots[0]);
    return this.partsLeft > 0;
  }
}
