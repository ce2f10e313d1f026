// Deciding the next tokens of rows on the device, greedily or by a draw.
import type { Tensor } from "../../tensor/mod.ts";
import type { Session } from "../programs/session.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { numbersOf } from "../scores/token_draw.ts";
import { type Decider, DeviceSteps, type QueuedSteps, StepQueue } from "./decider.ts";
import type { Choice, TextState } from "./text_state.ts";

/** A place of the session: the text in it, or none. */
export type Slot = TextState | undefined;

/** The choice of a slot at a step. */
type ChoiceAt = (slot: number, at: number) => Choice;

/** The device decides, in a program of the session. */
export class DeviceTokens implements Decider<Slot, Choice> {
  readonly scores: readonly Tensor[] = [];
  readonly #steps: DeviceSteps;
  readonly #noise: Noise | undefined;
  readonly #queue: StepQueue<ChoiceAt>;
  /** Those of the last call, which stay where they are while steps are under way. */
  #slots: readonly Slot[] = [];
  readonly #pace: StreamPace | undefined;

  constructor(readonly session: Session, readonly generation: Generation) {
    const { stepsPerRead } = session.backend;
    this.#steps = new DeviceSteps(session, generation, stepsPerRead);
    this.#queue = new StepQueue(session, generation, (length) => this.#queueSteps(length));
    if (generation.streamer) this.#pace = new StreamPace(stepsPerRead);
    if (!generation.doSample) return;
    this.#noise = Noise.of(generation);
    session.write("temperature", Float32Array.of(generation.temperature));
  }

  get isAhead(): boolean {
    return this.#queue.isAhead;
  }

  async next(slots: readonly Slot[], length: number, ahead = false): Promise<Choice[][]> {
    this.#slots = slots;
    const { count, decided } = await this.#queue.next(length, ahead);
    this.#pace?.note(count);
    return Array.from({ length: count }, (_, at) => slots.map((_, slot) => decided(slot, at)));
  }

  /** Queue steps from `length` on, and their read. */
  #queueSteps(length: number): QueuedSteps<ChoiceAt> {
    const { session, generation } = this;
    const count = Math.min(this.#steps.count(length), this.#pace?.steps ?? Infinity);
    if (this.#noise) session.write("noise", this.#noiseOf(this.#slots, length, count, this.#noise));
    this.#steps.queue(length, count);
    return { count, decided: generation.outputConfidences ? this.#readReported() : this.#readTokens(length) };
  }

  async #readTokens(length: number): Promise<ChoiceAt> {
    const { capacity } = this.session.sizes;
    const data = (await this.session.readTokens()).data as BigInt64Array;
    return (slot, at) => ({ token: Number(data[slot * capacity + length + at]) });
  }

  async #readReported(): Promise<ChoiceAt> {
    const data = (await this.session.read("ring")).data as Float32Array;
    return (slot, at) => {
      const place = 2 * (slot * maxStepsPerRead + at);
      return { token: data[place], confidence: data[place + 1] };
    };
  }

  /** The noise of the next steps, [steps, rows, numbers]. */
  #noiseOf(slots: readonly Slot[], length: number, count: number, noise: Noise): Float32Array {
    const numbers = numbersOf(this.session.vocabularySize);
    const all = new Float32Array(count * slots.length * numbers);
    for (let at = 0; at < count; at++) {
      slots.forEach((row, slot) => {
        const from = (at * slots.length + slot) * numbers;
        if (row) noise.fill(all.subarray(from, from + numbers), row.index, length + at);
      });
    }
    return all;
  }
}

/** Reads are as far apart as a reader does not mind, in milliseconds: a read of a GPU takes 11 by itself. */
const [leastWait, mostWait] = [25, 60];

/** How many steps are read together while someone watches. */
class StreamPace {
  steps = 1;
  #last = performance.now();

  /** @param most What is never exceeded; 1 where a read is free. */
  constructor(readonly most: number) {}

  /** Note that `count` steps were read. */
  note(count: number): void {
    const now = performance.now();
    const waited = now - this.#last;
    this.#last = now;
    if (waited < leastWait && count === this.steps) this.steps = Math.min(this.most, 2 * this.steps);
    else if (waited > mostWait) this.steps = Math.max(1, this.steps >> 1);
  }
}
