// A text that is searched by beams, each of which has a slot: the host ranks their candidates, and says which slot's memory
// the beams that result from them go on with.
import type { Generation } from "../request/generation.ts";
import { needsRows, programProcessorsOf } from "../scores/processor_list.ts";
import { lengthProcessors, TokenMask } from "../scores/token_mask.ts";
import { type Candidate, placeBeams, rankCandidates, RowCandidates } from "../search/beam_ranking.ts";
import { BeamSearchState, continuationsKept } from "../search/beam_search_state.ts";
import { type GenerateOutput, outputOfBeams } from "../search/generate_output.ts";
import type { SlotText, StepRow } from "./slot_text.ts";

/** How the beams go on: their memory, and the last token of each. */
export interface BeamMoves {
  /** From which slot to which memory is copied. */
  readonly moves: readonly (readonly [from: number, to: number])[];
  readonly tokens: readonly { readonly slot: number; readonly token: number }[];
}

/** A slot that holds a beam. */
class BeamRow implements StepRow {
  readonly isBeam = true;
  stepsUnderWay = 0;
  readonly topK = 0;
  readonly noise = undefined;
  readonly mask: TokenMask | undefined;

  constructor(readonly owner: SlotBeams, readonly slot: number, vocabulary: number) {
    const processors = owner.candidates ? [] : lengthProcessors(this.generation, this.generation);
    if (processors.length > 0) this.mask = new TokenMask(processors, vocabulary);
  }

  get generation(): Generation {
    return this.owner.generation;
  }

  get length(): number {
    return this.owner.length;
  }

  get readsScores(): boolean {
    return this.owner.candidates !== undefined;
  }

  get selection(): StepRow["selection"] {
    const processors = programProcessorsOf(this.generation, this.generation);
    const candidates = continuationsKept(this.generation);
    return { processors, samples: false, topK: 0, candidates, confident: false };
  }
}

/** The beams of a picture in slots. */
export class SlotBeams implements SlotText {
  readonly state: BeamSearchState;
  readonly rows: readonly StepRow[];
  /** Finds candidates in rows of scores, where programs cannot. */
  readonly candidates: RowCandidates | undefined;
  /** Which of the slots each running beam is in. */
  #places: readonly number[];
  #released = false;

  /**
   * @param slots One for each beam.
   * @param generation Its settings, of one picture.
   * @param vocabulary The number V of tokens.
   */
  constructor(
    readonly slots: readonly number[],
    readonly generation: Generation,
    readonly vocabulary: number,
  ) {
    this.state = new BeamSearchState(generation.prompts[0], 0, generation);
    if (needsRows(generation) || generation.doSample) this.candidates = new RowCandidates(generation);
    this.rows = slots.map((slot) => new BeamRow(this, slot, vocabulary));
    this.#places = [...slots.keys()];
  }

  /** The tokens of each beam. */
  get length(): number {
    return this.state.running[0].tokens.length;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    this.#released = true;
  }

  /** The slots of the running beams, in the beams' order. */
  get order(): readonly number[] {
    return this.#places.map((place) => this.slots[place]);
  }

  /**
   * Find candidates on the host.
   *
   * @param scoresOf The log-probabilities [V] of a slot, which are changed.
   * @returns Those of each running beam.
   */
  candidatesIn(scoresOf: (slot: number) => Float32Array): Candidate[][] {
    const { state: { running, index }, generation: { numBeams }, length } = this;
    return this.order.map((slot, i) => {
      const scores = scoresOf(slot);
      this.candidates!.process(running[i].tokens, scores);
      return this.candidates!.best(scores, { beam: index * numBeams + i, length });
    });
  }

  /**
   * Go on by a token.
   *
   * @param candidates Those of each running beam, best first.
   * @returns How the beams go on, unless nothing can change any more; and how near another ranking was, the least difference
   * of two sums that follow each other.
   */
  advance(candidates: readonly (readonly Candidate[])[]): { readonly margin: number; readonly follows?: BeamMoves } {
    const { state, slots } = this;
    const ranked = rankCandidates(state.running, candidates, this.generation);
    const margin = Math.min(...ranked.slice(1).map(({ rank }, i) => ranked[i].rank - rank));
    if (!state.advance(ranked) || state.done) return { margin };
    const { rows, moves } = placeBeams(state.running.map(({ parent }) => this.#places[parent]));
    this.#places = rows;
    return {
      margin,
      follows: {
        moves: moves.map(([from, to]) => [slots[from], slots[to]] as const),
        tokens: state.running.map(({ tokens }, i) => ({ slot: slots[rows[i]], token: tokens[tokens.length - 1] })),
      },
    };
  }

  get output(): GenerateOutput {
    return outputOfBeams(this.state.best.slice(0, this.generation.numReturnSequences), this.generation);
  }
}
