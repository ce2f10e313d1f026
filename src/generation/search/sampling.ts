// Decoding without beams, greedily or by sampling: each row goes on by itself until it ends or is full.
import type { Decider } from "./decider.ts";
import { type GenerateOutput, outputOfRows } from "./generate_output.ts";
import type { Slot } from "./token_deciders.ts";
import { compact, compaction } from "./row_compaction.ts";
import type { Generation } from "../request/generation.ts";
import type { Session } from "../programs/session.ts";
import type { Search } from "./search.ts";
import { type Choice, TextState } from "./text_state.ts";

/** The rows that go on, in the session's order. */
function going(session: Session, slots: readonly Slot[], length: number): readonly Slot[] {
  const plan = compact(session, slots.map((row) => row !== undefined && !row.ended), length);
  if (!plan) return slots;
  const moved = Array<Slot>(session.rows).fill(undefined);
  for (const [from, to] of plan.moves.rows) moved[to] = slots[from];
  return moved;
}

/** Rows under way, each for itself. */
export class RowSearch implements Search {
  readonly #rows: readonly TextState[];
  /** The rows in the session's places. */
  #slots: readonly Slot[];
  /** The tokens of each row so far. */
  #length: number;

  /**
   * Begin, the encoder's programs being queued before.
   *
   * @param session The buffers, with room for `maxLength` positions.
   * @param generation Its streamer is given each token by itself, as soon as it is read.
   * @param decider Decides the next token of each row.
   */
  constructor(
    readonly session: Session,
    readonly generation: Generation,
    readonly decider: Decider<Slot, Choice>,
  ) {
    const { prompts, promptLength, numReturnSequences } = generation;
    const each = prompts.flatMap((prompt) => Array<readonly number[]>(numReturnSequences).fill(prompt));
    this.#slots = this.#rows = each.map((prompt, index) => new TextState(generation, prompt, index));
    this.#length = promptLength;
    session.writeTokens(each);
  }

  get ended(): boolean {
    return this.#length >= this.generation.maxLength || this.#rows.every(({ ended }) => ended);
  }

  async step(): Promise<void> {
    const { session, generation: { streamer, signal, outputScores, maxLength } } = this;
    const steps = await this.decider.next(this.#slots, this.#length, outputScores || !this.#couldShrink);
    // A streamer is given each token by itself, also where the device decided several.
    const turns = streamer ? steps.map((choices) => [choices]) : [steps];
    for (const turn of turns) {
      const fresh = this.#rows.map((): number[] => []);
      this.#slots.forEach((row, slot) => {
        if (row) fresh[row.index] = row.take(turn.map((choices) => choices[slot]));
      });
      this.#length += turn.length;
      await streamer?.put(fresh);
      signal?.throwIfAborted();
      if (this.ended) return;
    }
    // Scores are those of all rows.
    const stays = outputScores || this.decider.isAhead || this.#length >= maxLength;
    if (!stays) this.#slots = going(session, this.#slots, this.#length);
  }

  /** Whether so many rows have ended that the others should be moved together. */
  get #couldShrink(): boolean {
    const open = this.#slots.map((row) => row !== undefined && !row.ended);
    return compaction(open, this.session.sizes.beams) !== undefined;
  }

  /** The rows with their prompts, padded to the longest; whether each was cut by the length. */
  async finish(): Promise<GenerateOutput> {
    const { streamer, outputScores } = this.generation;
    await streamer?.end();
    return {
      ...outputOfRows(this.#rows, this.generation),
      ...(outputScores && { scores: [...this.decider.scores] }),
    };
  }
}
