// What rides in slots: a text of one row, or the beams of a text, each of which has a slot. Steps know rows only, whoever owns
// them.
import type { Generation } from "../request/generation.ts";
import type { Noise } from "../scores/gumbel_noise.ts";
import type { TokenMask } from "../scores/token_mask.ts";
import type { GenerateOutput } from "../search/generate_output.ts";
import type { SlotSelection } from "../programs/slot_selection.ts";

/** A text under way in slots. */
export interface SlotText {
  readonly slots: readonly number[];
  /** Its settings, of one picture. */
  readonly generation: Generation;
  /** Whether it has left its slots: what was decided stays. */
  readonly released: boolean;
  /** Leave its slots. */
  release(): void;
  /** What is decided, as `generate` returns it. */
  readonly output: GenerateOutput;
}

/** What a step decided for a text. */
export interface SlotStep {
  readonly text: SlotText;
  /** Its new tokens; those of beams are decided at the end, all at once. */
  readonly tokens: readonly number[];
  /** How far what each step was decided by is from what another would have been, if that is asked for. */
  readonly margins?: readonly number[];
  /** Whether it is complete or has failed: its slots are free again. */
  readonly done: boolean;
  /** Why it failed, if it did. */
  readonly error?: unknown;
}

/** A row of a step. */
export interface StepRow {
  readonly slot: number;
  readonly owner: SlotText;
  readonly generation: Generation;
  /** Its tokens so far. */
  readonly length: number;
  /** Steps that are queued, and that its tokens do not have yet. */
  stepsUnderWay: number;
  /** Whether it is one of its owner's beams, whose candidates the host ranks. */
  readonly isBeam: boolean;
  /** Whether the host reads its scores, as programs cannot say how it goes on. */
  readonly readsScores: boolean;
  /** What its draws take, where a program draws them. */
  readonly noise: Noise | undefined;
  /** The mask of its tokens, where a program applies one. */
  readonly mask: TokenMask | undefined;
  /** From how many of the likeliest tokens its own is drawn; 0 from all. */
  readonly topK: number;
  /** What it asks of a program. */
  readonly selection: Omit<SlotSelection, "margins">;
}

/** The rows of a step by their slots; undefined where a slot is idle. */
export type SlotRows = readonly (StepRow | undefined)[];

/** The next power of two, so that few programs serve all sizes; 0 stays. */
const roundedUp = (size: number): number => size === 0 ? 0 : 2 ** Math.ceil(Math.log2(size));

/** What rows ask for together. */
export function selectionOf(
  rows: readonly StepRow[],
  { vocabulary, margins }: { readonly vocabulary: number; readonly margins: boolean },
): SlotSelection {
  const asked = rows.map(({ selection }) => selection);
  const any = (of: (selection: StepRow["selection"]) => boolean) => asked.some(of);
  const most = (of: (selection: StepRow["selection"]) => number) => roundedUp(Math.max(...asked.map(of)));
  return {
    processors: {
      repetitionPenalty: any(({ processors }) => processors.repetitionPenalty),
      noRepeatNgramSize: most(({ processors }) => processors.noRepeatNgramSize),
      tokenMask: any(({ processors }) => processors.tokenMask),
    },
    samples: any(({ samples }) => samples),
    topK: Math.min(most(({ topK }) => topK), vocabulary),
    candidates: Math.min(most(({ candidates }) => candidates), vocabulary),
    confident: any(({ confident }) => confident),
    margins,
  };
}
