// A picture that is encoded into a slot, part by part.
import type { Tensor } from "../../tensor/mod.ts";
import type { SlotBuffers } from "../programs/slot_buffers.ts";

/** A picture on its way into a slot. */
export interface PictureEncoding {
  readonly slot: number;
  /** Parts that are not queued yet. */
  readonly partsLeft: number;
  /** Queue the next part. @returns Whether parts are left. */
  advance(): boolean;
}

/** An encoding on a session's buffers. */
export class Encoding implements PictureEncoding {
  #next = 0;
  #released = false;

  constructor(readonly buffers: SlotBuffers, readonly pixelValues: Tensor, readonly slot: number) {}

  get partsLeft(): number {
    return this.#released ? 0 : this.buffers.encodeParts - this.#next;
  }

  /** Give up its slot: nothing more is queued. */
  release(): void {
    this.#released = true;
  }

  advance(): boolean {
    if (this.partsLeft === 0) return false;
    this.buffers.encode(this.#next++, this.pixelValues, this.slot);
    return this.partsLeft > 0;
  }
}
