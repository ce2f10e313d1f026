// Deciding the next tokens of rows, greedily or by a draw.
import type { Tensor } from "../../tensor/mod.ts";
import type { Session } from "../programs/session.ts";
import { stepsHeld } from "../programs/steps_held.ts";
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { numbersOf } from "../scores/token_draw.ts";
import { type Decider, DeviceSteps, ScoreReader, stackScores } from "./decider.ts";
import { HostChoice } from "./host_choice.ts";
import type { Choice, TextState } from "./text_state.ts";

/** A place of the session: the text in it, or none. */
export type Slot = TextState | undefined;

/** The device decides, in a program of the session. */
export class DeviceTokens implements Decider<Slot, Choice> {
  readonly scores: readonly Tensor[] = [];
  readonly #steps: DeviceSteps;
  readonly #noise: Noise | undefined;

  /** @param most The steps between two reads. */
  constructor(readonly session: Session, readonly generation: Generation, most: number) {
    this.#steps = new DeviceSteps(session, generation, most);
    if (!generation.doSample) return;
    this.#noise = new Noise(generation.seed);
    session.write("temperature", Float32Array.of(generation.temperature));
  }

  async next(slots: readonly Slot[], length: number): Promise<Choice[][]> {
    const { session, generation } = this;
    const count = this.#steps.count(length);
    if (this.#noise) session.write("noise", this.#noiseOf(slots, length, count, this.#noise));
    this.#steps.queue(length, count);
    const read = generation.outputConfidences ? await this.#readReported() : await this.#readTokens(length);
    return Array.from({ length: count }, (_, at) => slots.map((_, slot) => read(slot, at)));
  }

  async #readTokens(length: number): Promise<(slot: number, at: number) => Choice> {
    const data = (await this.session.readTokens()).data as BigInt64Array;
    const { capacity } = this.session.sizes;
    return (slot, at) => ({ token: Number(data[slot * capacity + length + at]) });
  }

  async #readReported(): Promise<(slot: number, at: number) => Choice> {
    const data = (await this.session.read("ring")).data as Float32Array;
    return (slot, at) => {
      const place = 2 * (slot * stepsHeld + at);
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

/** The host decides, by processors that see a row's tokens and all its scores. */
export class HostTokens implements Decider<Slot, Choice> {
  readonly scores: Tensor[] = [];
  readonly #choice: HostChoice;
  readonly #reader: ScoreReader;

  constructor(readonly session: Session, readonly generation: Generation) {
    this.#choice = new HostChoice(generation, session.vocabularySize);
    this.#reader = new ScoreReader(session, "logits", generation);
  }

  async next(slots: readonly Slot[], length: number): Promise<Choice[][]> {
    const { generation: { outputScores, padTokenId } } = this;
    const read = await this.#reader.next(length);
    const choices = slots.map((row, slot): Choice => {
      if (!row || (row.ended && !outputScores)) return { token: padTokenId };
      const { tokens } = row;
      const history = row.ended ? [...tokens, ...Array(length - tokens.length).fill(padTokenId)] : tokens;
      this.#choice.process(history, read[slot]);
      return row.ended ? { token: padTokenId } : this.#choice.take(read[slot], { row: row.index, length });
    });
    if (outputScores) this.scores.push(stackScores(read));
    this.session.writeTokens(choices.map(({ token }) => [token]), length);
    return [choices];
  }
}
