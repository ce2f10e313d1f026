// A text under way: a state that takes what was decided for it, a token or several, and knows when it has ended. Who decides,
// and when, is not its affair: a generation that steps all its rows together, or a session whose rows come and go.
import type { Generation } from "../request/generation.ts";

/** A token that follows. */
export interface Choice {
  readonly token: number;
  /** Its share of softmax(scores), if that is asked for. */
  readonly confidence?: number;
  /** How far what it was taken by is from what another would have been, where that is known. */
  readonly margin?: number;
}

/** A row of tokens under way. */
export class TextState {
  /** The prompt and what was decided. */
  readonly tokens: number[];
  /** How sure the model is of each token that was decided, if that is asked for. */
  readonly confidences: number[] = [];
  #ended = false;

  /**
   * @param generation Its settings: what ends a text, and how long one may be.
   * @param prompt The tokens that it begins with.
   * @param index Its place among all rows of its generation, which stays: that of its noise.
   */
  constructor(readonly generation: Generation, prompt: readonly number[], readonly index: number) {
    this.tokens = [...prompt];
  }

  /** Whether it has an end: a token that ends it, or what a criterion asks for. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether it goes on: it has no end, and is not as long as it may be. */
  get goesOn(): boolean {
    return !this.#ended && this.tokens.length < this.generation.maxLength;
  }

  /** Take what follows, up to its end; the rest counts for nothing. @returns The tokens that were taken. */
  take(choices: readonly Choice[]): number[] {
    const { eosTokenIds, stoppingCriteria } = this.generation;
    const fresh: number[] = [];
    for (const { token, confidence } of choices) {
      if (!this.goesOn) break;
      this.tokens.push(token);
      if (confidence !== undefined) this.confidences.push(confidence);
      fresh.push(token);
      this.#ended = eosTokenIds.includes(token) || stoppingCriteria.some((stops) => stops(this.tokens));
    }
    return fresh;
  }
}
