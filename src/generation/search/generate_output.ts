// What a search ends with, which is what `generate` returns.
import type { Tensor } from "../../tensor/mod.ts";
import type { Generation } from "../request/generation.ts";

/** What `generate` returns. */
export interface GenerateOutput {
  /** The ids of each row, its prompt first, padded to the longest. */
  readonly sequences: number[][];
  /** The tokens of each row's prompt, the start token included, with which `sequences` begin. */
  readonly promptLengths: number[];
  /** The tokens of each row, with its prompt and its end token, without padding. */
  readonly lengths: number[];
  /** Whether a row was cut by the length and has no end token. */
  readonly truncated: boolean[];
  /** The score of each row, where beams were searched. */
  readonly sequencesScores?: number[];
  /**
   * How sure the model was of each new token of a row, up to its end, from 0 to 1, if asked for: the token's share of the
   * softmax of its step's scores after all processors; of beams its probability after all processors, which these may have raised
   * above 1. As the exponential of Transformers' `compute_transition_scores`.
   */
  readonly confidences?: number[][];
  /** Each step's scores after all processors, [rows, vocabulary], if asked for. */
  readonly scores?: Tensor[];
  /** Each layer's attention of the returned rows to the picture, [rows, H, tokens − 1, S], if asked for: entry t of a row
   * belongs to the token at t + 1. */
  readonly crossAttentions?: Tensor[];
}

/**
 * Rows as a search returns them.
 *
 * @param padTokenId Fills rows after their end.
 */
export function padded(
  rows: readonly { readonly tokens: readonly number[] }[],
  { promptLength }: Generation,
  padTokenId: number,
): Pick<GenerateOutput, "sequences" | "promptLengths" | "lengths"> {
  const lengths = rows.map(({ tokens }) => tokens.length);
  const longest = Math.max(...lengths);
  return {
    sequences: rows.map(({ tokens }) => [...tokens, ...Array(longest - tokens.length).fill(padTokenId)]),
    promptLengths: rows.map(() => promptLength),
    lengths,
  };
}
