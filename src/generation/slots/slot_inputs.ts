// The values of rows that programs take: where each is, and what its options are. Of an idle slot they are such that it
// changes nothing that is read.
import type { SlotBuffers } from "../programs/slot_buffers.ts";
import type { SlotSelection } from "../programs/slot_selection.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import { numbersOf } from "../scores/token_draw.ts";
import { own } from "../scores/token_mask.ts";
import { SlotRow } from "./slot_row.ts";
import type { SlotRows, StepRow } from "./slot_text.ts";

/** The tokens that a row has at a step of the next read, after those under way: it goes no further than it may. */
export function lengthAt({ length, stepsUnderWay, generation }: StepRow, at: number): number {
  return Math.min(length + stepsUnderWay + at, generation.maxLength - 1);
}

/** Keeps the inputs of programs as rows need them. */
export class SlotInputs {
  /** The slots whose mask lets every score be. */
  readonly #clear = new Set<number>();

  constructor(readonly buffers: SlotBuffers, readonly vocabulary: number) {}

  /** Queue writes of where rows are, for the steps of a read. */
  writePositions(rows: SlotRows): void {
    const positions = Array.from(
      { length: maxStepsPerRead },
      (_, at) => rows.map((row) => row ? lengthAt(row, at) - 1 : 0),
    );
    this.buffers.write("past", BigInt64Array.from(positions.flat(), BigInt));
  }

  /** Queue writes of the rows' options, and of the random numbers of `count` steps. */
  writeOptions(rows: SlotRows, { processors, samples, topK, candidates }: SlotSelection, count: number): void {
    const floats = (name: string, of: (row: StepRow) => number) =>
      this.buffers.write(name, Float32Array.from(rows, (row) => row ? of(row) : 1));
    const whole = (name: string, of: (row: StepRow) => number) =>
      this.buffers.write(name, BigInt64Array.from(rows, (row) => BigInt(row ? of(row) : 0)));
    if (processors.repetitionPenalty) floats("penalty", ({ generation }) => generation.repetitionPenalty);
    if (processors.noRepeatNgramSize > 0) whole("ngram", ({ generation }) => generation.noRepeatNgramSize);
    if (candidates > 0) this.buffers.write("beam", Uint8Array.from(rows, (row) => row?.isBeam ? 1 : 0));
    if (!samples) return;
    floats("temperature", ({ generation }) => generation.doSample ? generation.temperature : 1);
    this.buffers.write("sampled", Uint8Array.from(rows, (row) => row?.noise ? 1 : 0));
    if (topK > 0) whole("topK", (row) => row.topK);
    this.#writeNoise(rows, count);
  }

  /** Queue writes of the masks that change at a step. */
  writeMasks(rows: SlotRows, at: number): void {
    for (const [slot, row] of rows.entries()) {
      if (!row || (!row.mask && this.#clear.has(slot))) continue;
      if (row.mask) this.#clear.delete(slot);
      else this.#clear.add(slot);
      const mask = row.mask ? row.mask.next(lengthAt(row, at)) : new Float32Array(this.vocabulary).fill(own);
      if (mask) this.buffers.write("mask", mask, slot * this.vocabulary);
    }
  }

  /** The noise of the next steps, [steps, rows, numbers]: that of a row's own seed, place and length. */
  #writeNoise(rows: SlotRows, count: number): void {
    const numbers = numbersOf(this.vocabulary);
    const all = new Float32Array(count * rows.length * numbers);
    for (let at = 0; at < count; at++) {
      rows.forEach((row, slot) => {
        const from = (at * rows.length + slot) * numbers;
        if (row instanceof SlotRow) {
          row.noise?.fill(all.subarray(from, from + numbers), row.text.index, lengthAt(row, at));
        }
      });
    }
    this.buffers.write("noise", all);
  }
}
