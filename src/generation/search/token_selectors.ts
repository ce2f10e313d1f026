// Who decides the next tokens of rows: the device, which is looked at now and then, or the host, which reads whole rows
// of scores at each step because a rule or a draw needs them. Both decide alike.
import { Tensor, type TypedArray } from "../../tensor/mod.ts";
import { confidenceOf } from "../scores/token_confidence.ts";
import { best, blocksOf, draw } from "../scores/token_draw.ts";
import type { Generation } from "../request/generation.ts";
import { processorsOf } from "../scores/processor_list.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { ProcessorInputs } from "../scores/processor_inputs.ts";
import { stepsHeld } from "../programs/steps_held.ts";
import type { Session } from "../programs/session.ts";

/** A text under way. */
export interface Row {
  /** Its place among all rows, which stays. */
  readonly index: number;
  /** The prompt and what was decided. */
  readonly tokens: number[];
  /** How sure the model was of each token that was decided, if that is asked for. */
  readonly confidences: number[];
  ended: boolean;
}

/** A token that follows. */
export interface Choice {
  readonly token: number;
  /** Its share of softmax(scores), if that is asked for. */
  readonly confidence?: number;
}

/** Decides tokens. */
export interface Chooser {
  /**
   * Go on by a token or several.
   *
   * @param slots The rows in the order of the session's; none where a row of it is idle.
   * @param length The tokens of each row so far.
   * @returns The tokens that follow, by slot, as many for each.
   */
  next(slots: readonly (Row | undefined)[], length: number): Promise<readonly (readonly Choice[])[]>;
  /** Each step's scores after all rules, [rows, V], if they are asked for. */
  readonly scores: Tensor[];
}

/** Queue the decoder for the token behind the first `length`, whose last one, or whole prompt, is not in the caches. */
export function queueStep(
  session: Session,
  { promptLength }: Generation,
  length: number,
  at = 0,
): void {
  const past = length === promptLength ? 0 : length - 1;
  session.decode(past, length - past, at);
}

/** The device decides; the host waits for it every so many steps. */
export class DeviceChooser implements Chooser {
  readonly scores: Tensor[] = [];
  readonly #inputs: ProcessorInputs;
  readonly #noise: Noise | undefined;
  readonly #numbers: number;

  /** @param steps The steps between two reads. */
  constructor(
    readonly session: Session,
    readonly generation: Generation,
    readonly steps: number,
  ) {
    const { vocabularySize } = session;
    const { blocks, width } = blocksOf(vocabularySize);
    this.#numbers = blocks + width;
    this.#inputs = new ProcessorInputs(session, generation);
    if (!generation.doSample) return;
    this.#noise = new Noise(generation.seed);
    session.write("temperature", Float32Array.of(generation.temperature));
  }

  async next(slots: readonly (Row | undefined)[], length: number): Promise<Choice[][]> {
    const { session, generation } = this;
    const count = Math.min(this.steps, stepsHeld, generation.maxLength - length);
    if (this.#noise) session.write("noise", this.#noiseOf(slots, length, count, this.#noise));
    for (let at = 0; at < count; at++) {
      this.#inputs.write(length + at);
      queueStep(session, generation, length + at, at);
    }
    const steps = [...Array(count).keys()];
    if (!generation.outputConfidences) {
      const data = (await session.readTokens()).data as BigInt64Array;
      const { capacity } = session.sizes;
      return slots.map((_, slot) => steps.map((at) => ({ token: Number(data[slot * capacity + length + at]) })));
    }
    const data = (await session.read("ring")).data as Float32Array;
    return slots.map((_, slot) =>
      steps.map((at) => {
        const place = 2 * (slot * stepsHeld + at);
        return { token: data[place], confidence: data[place + 1] };
      })
    );
  }

  /** The noise of the next steps, [steps, rows, numbers]. */
  #noiseOf(slots: readonly (Row | undefined)[], length: number, count: number, noise: Noise): Float32Array {
    const numbers = this.#numbers;
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

/** Reads each step's scores. */
export class RowReader {
  #memory: TypedArray | undefined;

  /** @param name An output, [rows, …, V]. */
  constructor(readonly session: Session, readonly name: string, readonly generation: Generation) {}

  /** Wait for a step's scores, one row each; the next step's take their place, unless someone may have kept them. */
  async read(): Promise<Float32Array[]> {
    const { session, name, generation: { logitsProcessors, outputScores } } = this;
    const { data } = await session.read(name, { into: this.#memory });
    // Rows become fewer, never more.
    if (logitsProcessors.length === 0 && !outputScores) this.#memory ??= data;
    const width = data.length / session.rows;
    return Array.from(
      { length: session.rows },
      (_, row) => data.subarray(row * width, (row + 1) * width) as Float32Array,
    );
  }
}

/** The host decides, by rules that see a row's tokens and all its scores. */
export class HostChooser implements Chooser {
  readonly scores: Tensor[] = [];
  readonly #processors;
  readonly #noise: Noise | undefined;
  readonly #numbers: Float32Array<ArrayBuffer>;
  readonly #reader: RowReader;

  constructor(readonly session: Session, readonly generation: Generation) {
    const { doSample, seed } = generation;
    const { blocks, width } = blocksOf(session.vocabularySize);
    this.#processors = processorsOf(generation, generation);
    this.#noise = doSample ? new Noise(seed) : undefined;
    this.#numbers = new Float32Array(blocks + width);
    this.#reader = new RowReader(session, "logits", generation);
  }

  async next(slots: readonly (Row | undefined)[], length: number): Promise<Choice[][]> {
    const { session, generation: { outputScores, outputConfidences, padTokenId } } = this;
    queueStep(session, this.generation, length);
    const read = await this.#reader.read();
    const choices = slots.map((row, slot): Choice => {
      if (!row || (row.ended && !outputScores)) return { token: padTokenId };
      const { tokens } = row;
      const history = row.ended ? [...tokens, ...Array(length - tokens.length).fill(padTokenId)] : tokens;
      for (const process of this.#processors) process(history, read[slot]);
      if (row.ended) return { token: padTokenId };
      const token = this.#take(read[slot], row.index, length);
      return { token, ...(outputConfidences && { confidence: confidenceOf(read[slot], token) }) };
    });
    if (outputScores) {
      const [{ buffer, length: width }] = read;
      this.scores.push(new Tensor("float32", [read.length, width], new Float32Array(buffer as ArrayBuffer)));
    }
    session.writeTokens(choices.map(({ token }) => [token]), length);
    return choices.map((choice) => [choice]);
  }

  #take(scores: Float32Array, row: number, step: number): number {
    return this.#noise ? draw(scores, this.#noise.fill(this.#numbers, row, step)) : best(scores);
  }
}
