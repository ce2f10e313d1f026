// The rules that programs apply, and what these are given for them. Rules that depend on nothing but how long rows are
// become one row, which says for each token either that its score is its own or what stands for it; it is written again
// only at the few lengths where other rules hold.
import type { Generation } from "../request/generate_options.ts";
import { type LengthRule, lengthRules } from "./logits_processors.ts";
import { forbidden, own, type ProgramRules } from "./device_processors.ts";
import type { Session } from "../programs/session.ts";

/** The rules of the length of a generation. */
function lengthRulesOf(generation: Generation): LengthRule[] {
  const { prompts: [{ length: promptLength }], maxLength } = generation;
  return lengthRules(generation, { promptLength, maxLength });
}

/** The rules of a generation, if none needs rows to be read. */
export function programRulesOf(generation: Generation): ProgramRules {
  return {
    penalised: generation.repetitionPenalty !== 1,
    ngrams: generation.noRepeatNgramSize,
    ruled: lengthRulesOf(generation).length > 0,
  };
}

/** Keeps the inputs of a session that its rules need as they have to be. */
export class RuleInputs {
  readonly rules: readonly LengthRule[];
  readonly #row: Float32Array;
  /** Which rules the row holds. */
  #held = "";

  constructor(readonly session: Session, generation: Generation) {
    this.rules = lengthRulesOf(generation);
    this.#row = new Float32Array(session.runner.architecture.decoder.vocabularySize);
    const { repetitionPenalty: penalty } = generation;
    if (penalty !== 1) session.write("penalty", Float32Array.of(penalty));
  }

  /** Queue a write of the rules for the next token of rows of `length`, if they are not there. */
  write(length: number): void {
    if (this.rules.length === 0) return;
    const holding = this.rules.map(({ holds }) => holds(length));
    if (holding.join() === this.#held) return;
    this.#held = holding.join();
    this.#row.fill(own);
    this.rules.forEach(({ apply }, i) => holding[i] && apply(this.#row));
    for (let id = 0; id < this.#row.length; id++) if (this.#row[id] === -Infinity) this.#row[id] = forbidden;
    this.session.write("rules", this.#row);
  }
}
