// Beam search and beam sampling: steps are taken until the states (beam_search_state.ts) show that nothing can change any more.
// Those that were taken beyond, because the host reads only every few steps, count for nothing.
import { compact, compaction } from "./row_compaction.ts";
import { BeamSearchState, type Continuation } from "./beam_search_state.ts";
import type { Generation } from "../request/generation.ts";
import { type BeamDecider, DeviceBeams, HostBeams } from "./beam_deciders.ts";
import { type GenerateOutput, outputOfBeams } from "./generate_output.ts";
import type { Session } from "../programs/session.ts";
import type { Search } from "./search.ts";

/** Which rows go on, by their pictures. */
function openRows({ sizes: { beams } }: Session, pictures: readonly BeamSearchState[]): boolean[] {
  return pictures.flatMap(({ done }) => Array<boolean>(beams).fill(!done));
}

/** The pictures that go on, in the session's order. */
function going(session: Session, pictures: readonly BeamSearchState[], length: number): readonly BeamSearchState[] {
  const plan = compact(session, openRows(session, pictures), length);
  return plan ? plan.moves.pictures.map(([from]) => pictures[from]) : pictures;
}

function deciderOf(session: Session, generation: Generation): BeamDecider {
  const { selection } = session.shape;
  if (selection.kind === "beams") return new DeviceBeams(session, generation, selection);
  return new HostBeams(session, generation);
}

/**
 * Let pictures go on by a step.
 *
 * @param together Whether beams run until those of all pictures have ended, as where scores are asked for: they are of
 * all rows, and there are as many of them as Transformers' search takes steps.
 * @returns Whether the search goes on.
 */
function advance(
  pictures: readonly BeamSearchState[],
  step: readonly (readonly Continuation[])[],
  together: boolean,
): boolean {
  let open = false;
  pictures.forEach((picture, p) => {
    if ((together || !picture.done) && picture.advance(step[p])) open = true;
  });
  if (!together) return open && pictures.some(({ done }) => !done);
  return open && pictures.some(({ improvable }) => improvable) && pictures.some(({ full }) => !full);
}

/** Pictures under way, each with its beams. */
export class BeamSearch implements Search {
  readonly #pictures: readonly BeamSearchState[];
  readonly #decider: BeamDecider;
  /** The pictures that go on, in the session's order. */
  #active: readonly BeamSearchState[];
  /** The tokens of each beam so far. */
  #length: number;
  #ended = false;

  /** Begin, the encoder's programs being queued before. */
  constructor(readonly session: Session, readonly generation: Generation) {
    const { prompts, promptLength, numBeams } = generation;
    this.#active = this.#pictures = prompts.map((prompt, index) => new BeamSearchState(prompt, index, generation));
    this.#length = promptLength;
    this.#decider = deciderOf(session, generation);
    session.writeTokens(prompts.flatMap((prompt) => Array(numBeams).fill(prompt)));
  }

  get ended(): boolean {
    return this.#ended;
  }

  async step(): Promise<void> {
    const { session, generation: { signal, outputScores } } = this;
    const couldShrink = compaction(openRows(session, this.#active), session.sizes.beams) !== undefined;
    const steps = await this.#decider.next(this.#active, this.#length, outputScores || !couldShrink);
    signal?.throwIfAborted();
    this.#ended = !steps.every((step) => advance(this.#active, step, outputScores));
    if (this.#ended) return;
    this.#length += steps.length;
    this.#decider.follow(this.#active, this.#length);
    // Scores are those of all rows.
    if (!outputScores && !this.#decider.isAhead) this.#active = going(session, this.#active, this.#length);
  }

  finish(): Promise<GenerateOutput> {
    const { numReturnSequences, outputScores } = this.generation;
    const best = this.#pictures.flatMap((picture) => picture.best.slice(0, numReturnSequences));
    const scores = outputScores && { scores: [...this.#decider.scores] };
    return Promise.resolve({ ...outputOfBeams(best, this.generation), ...scores });
  }
}
