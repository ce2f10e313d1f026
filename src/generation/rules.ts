// Rules that depend on nothing but how long rows are, on the device: one row that says for each token either that its
// score is its own or what stands for it. It is written again only at the few lengths where other rules hold.
import type { Generation } from "./options.ts";
import { type LengthRule, lengthRules } from "./processors.ts";
import { forbidden, own } from "./select.ts";
import type { Session } from "./session.ts";

/** The rules of the length of a generation. */
export function rulesOf({ prompts, maxLength, ...settings }: Generation): LengthRule[] {
  return lengthRules(settings, { promptLength: prompts[0].length, maxLength });
}

/** Keeps the input `rules` of a session as it has to be. */
export class RuleRow {
  readonly #row: Float32Array;
  /** Which rules the row holds. */
  #held = "";

  constructor(readonly rules: readonly LengthRule[], vocabulary: number) {
    this.#row = new Float32Array(vocabulary);
  }

  /** Queue a write of the rules for the next token of rows of `length`, if it is not there. */
  write(session: Session, length: number): void {
    if (this.rules.length === 0) return;
    const holding = this.rules.map(({ holds }) => holds(length));
    if (holding.join() === this.#held) return;
    this.#held = holding.join();
    this.#row.fill(own);
    this.rules.forEach(({ apply }, i) => holding[i] && apply(this.#row));
    for (let id = 0; id < this.#row.length; id++) if (this.#row[id] === -Infinity) this.#row[id] = forbidden;
    session.write("rules", this.#row);
  }
}
