// Deciding the next tokens of rows on the host.
import type { Tensor } from "../../tensor/mod.ts";
import type { Session } from "../programs/session.ts";
import type { Generation } from "../request/generation.ts";
import { type Decider, ScoreReader, stackScores } from "./decider.ts";
import { HostTokenChoice } from "./host_token_choice.ts";
import type { Choice } from "./text_state.ts";
import type { Slot } from "./token_deciders.ts";

/** The host decides, by processors that see a row's tokens and all its scores. */
export class HostTokens implements Decider<Slot, Choice> {
  readonly scores: Tensor[] = [];
  readonly #choice: HostTokenChoice;
  readonly #reader: ScoreReader;

  constructor(readonly session: Session, readonly generation: Generation) {
    this.#choice = new HostTokenChoice(generation, session.vocabularySize);
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
