// A row of a session with slots: its text, and how its tokens are taken.
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { isDecidedOnHost, programProcessorsOf } from "../scores/processor_list.ts";
import { lengthProcessors, TokenMask } from "../scores/token_mask.ts";
import { HostChoice } from "../search/host_choice.ts";
import { TextState } from "../search/text_state.ts";
import type { SlotSelection } from "../programs/slot_selection.ts";

/** A row under way in a slot. */
export class SlotRow {
  readonly text: TextState;
  /** Takes its tokens where programs cannot. */
  readonly host: HostChoice | undefined;
  /** What its draws take, where a program draws them. */
  readonly noise: Noise | undefined;
  /** The mask of its tokens, where a program applies one. */
  readonly mask: TokenMask | undefined;
  #released = false;

  /**
   * @param slot Where it is.
   * @param generation Its settings, of one picture.
   * @param place The place of its noise among the rows of its generation.
   * @param vocabulary The number V of tokens.
   */
  constructor(readonly slot: number, readonly generation: Generation, place: number, readonly vocabulary: number) {
    this.text = new TextState(generation, generation.prompts[0], place);
    if (isDecidedOnHost(generation)) {
      this.host = new HostChoice(generation, vocabulary);
      return;
    }
    if (generation.doSample) this.noise = new Noise(generation.seed);
    const processors = lengthProcessors(generation, generation);
    if (processors.length > 0) this.mask = new TokenMask(processors, vocabulary);
  }

  /** Whether it has left its slot: its text stays. */
  get released(): boolean {
    return this.#released;
  }

  /** Leave its slot. */
  release(): void {
    this.#released = true;
  }

  /** From how many of the likeliest tokens its own is drawn; 0 from all. */
  get topK(): number {
    const { doSample, topK } = this.generation;
    return doSample && topK < this.vocabulary ? topK : 0;
  }

  /** What it asks of a program. */
  get selection(): Omit<SlotSelection, "margins"> {
    const { doSample, outputConfidences } = this.generation;
    const processors = programProcessorsOf(this.generation, this.generation);
    return { processors, samples: doSample, topK: this.topK, confident: outputConfidences };
  }
}

/** The next power of two, so that few programs serve all sizes; 0 stays. */
const roundedUp = (size: number): number => size === 0 ? 0 : 2 ** Math.ceil(Math.log2(size));

/** What rows ask for together. */
export function selectionOf(
  rows: readonly SlotRow[],
  { vocabulary, margins }: { readonly vocabulary: number; readonly margins: boolean },
): SlotSelection {
  const asked = rows.map(({ selection }) => selection);
  const any = (of: (selection: SlotRow["selection"]) => boolean) => asked.some(of);
  const most = (of: (selection: SlotRow["selection"]) => number) => roundedUp(Math.max(...asked.map(of)));
  return {
    processors: {
      repetitionPenalty: any(({ processors }) => processors.repetitionPenalty),
      noRepeatNgramSize: most(({ processors }) => processors.noRepeatNgramSize),
      tokenMask: any(({ processors }) => processors.tokenMask),
    },
    samples: any(({ samples }) => samples),
    topK: Math.min(most(({ topK }) => topK), vocabulary),
    confident: any(({ confident }) => confident),
    margins,
  };
}
