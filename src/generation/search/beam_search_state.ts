// The state of a beam search, as transformers.GenerationMixin._beam_search keeps it: which texts of a picture go on, which
// are finished, and when nothing can change any more.
import type { Generation } from "../request/generation.ts";

/** A text under way, or a finished one. */
export interface Beam {
  readonly tokens: readonly number[];
  /** The log-probability of each new token, after all processors. */
  readonly logProbabilities: readonly number[];
  readonly score: number;
  readonly finished: boolean;
  /** Which of the beams before it continues. */
  readonly parent: number;
}

/** A beam with one more token. */
export interface Continuation {
  /** Which of the running beams it continues. */
  readonly parent: number;
  readonly id: number;
  /** The token's log-probability, after all processors. */
  readonly logProbability: number;
  /** The sum of the beam's. */
  readonly score: number;
}

/** How many continuations of a picture are kept: enough that its beams go on though the best ones end. */
export function continuationsKept({ numBeams, eosTokenIds }: Generation): number {
  return Math.max(2, 1 + eosTokenIds.length) * numBeams;
}

/** Transformers' stand-in for −∞. */
export const lowest = -1e9;
const float = Math.fround;

/** The beams of one picture, those that run and those that have ended. */
export class BeamSearchState {
  running: readonly Beam[];
  #finished: readonly Beam[];
  #improvable = true;

  /** @param index Its place among all pictures, which stays. */
  constructor(prompt: readonly number[], readonly index: number, readonly generation: Generation) {
    const beams = Array.from({ length: generation.numBeams }, (_, parent) => parent);
    const begun = { tokens: prompt, logProbabilities: [], finished: false };
    this.running = beams.map((parent) => ({ ...begun, score: parent ? lowest : 0, parent }));
    this.#finished = beams.map((parent) => ({ ...begun, score: lowest, parent }));
  }

  /** Whether it has as many texts as beams, and asks for no better ones. */
  get full(): boolean {
    return this.#finished.every(({ finished }) => finished) && this.generation.earlyStopping === true;
  }

  /** Whether the best running beam may still become better than a text that was found. */
  get improvable(): boolean {
    return this.#improvable;
  }

  /** Whether nothing can change any more. */
  get done(): boolean {
    return !this.#improvable || this.full;
  }

  get best(): readonly Beam[] {
    return this.#finished;
  }

  /**
   * Go on by one token. Once nothing can change any more only the running beams do.
   *
   * @param continuations The best of all running beams, best first, after all processors.
   * @returns Whether a beam can still go on.
   */
  advance(continuations: readonly Continuation[]): boolean {
    const { numBeams, eosTokenIds, lengthPenalty, maxLength, promptLength, stoppingCriteria } = this.generation;
    const next = continuations.map(({ parent, id, logProbability, score }): Beam => {
      const tokens = [...this.running[parent].tokens, id];
      const logProbabilities = [...this.running[parent].logProbabilities, logProbability];
      const finished = tokens.length >= maxLength || eosTokenIds.includes(id) ||
        stoppingCriteria.some((stops) => stops(tokens));
      return { tokens, logProbabilities, score, finished, parent };
    });
    const length = next[0].tokens.length - promptLength;
    const blocked = this.full || !this.#improvable;
    const best = next.map((beam, i): Beam => {
      const ends = beam.finished && i < numBeams;
      const out = (blocked ? lowest : 0) + (ends ? 0 : lowest);
      return { ...beam, score: float(float(beam.score / length ** lengthPenalty) + out), finished: ends };
    });
    const byScore = (beams: readonly Beam[]) => [...beams].sort((a, b) => b.score - a.score).slice(0, numBeams);
    this.running = byScore(next.map((beam) => ({ ...beam, score: float(beam.score + (beam.finished ? lowest : 0)) })));
    this.#finished = byScore([...this.#finished, ...best]);
    this.#improvable &&= this.#canImprove(length);
    return next.some(({ finished }) => !finished);
  }

  #canImprove(length: number): boolean {
    const { earlyStopping, lengthPenalty, maxLength, promptLength } = this.generation;
    const assumed = earlyStopping === "never" && lengthPenalty > 0 ? maxLength - promptLength : length;
    const possible = this.running[0].score / assumed ** lengthPenalty;
    const least = Math.min(...this.#finished.map(({ score }) => score));
    return this.#finished.some(({ finished }) => possible > (finished ? least : lowest));
  }
}
