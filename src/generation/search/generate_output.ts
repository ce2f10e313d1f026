// What a search ends with, which is what `generate` returns.
import type { Tensor } from "../../tensor/mod.ts";
import type { Generation } from "../request/generation.ts";
import type { Beam } from "./beam_search_state.ts";
import type { TextState } from "./text_state.ts";

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

/** Texts that went on each for itself, with their prompts, padded to the longest; whether each was cut by the length. */
export function outputOfRows(rows: readonly TextState[], generation: Generation): GenerateOutput {
  return {
    ...padded(rows, generation, generation.padTokenId),
    truncated: rows.map(({ ended }) => !ended),
    ...(generation.outputConfidences && { confidences: rows.map(({ confidences }) => confidences) }),
  };
}

/** The beams that were found, padded to the longest. */
export function outputOfBeams(best: readonly Beam[], generation: Generation): GenerateOutput {
  const { maxLength, padTokenId, eosTokenIds, outputConfidences } = generation;
  // Transformers takes a pad token of 0 for none here.
  const fill = eosTokenIds.length ? padTokenId || eosTokenIds[0] : padTokenId;
  return {
    ...padded(best, generation, fill),
    truncated: best.map(({ tokens }) => tokens.length >= maxLength && !eosTokenIds.includes(tokens[tokens.length - 1])),
    sequencesScores: best.map(({ score }) => score),
    ...(outputConfidences && { confidences: best.map(({ logProbabilities }) => logProbabilities.map(Math.exp)) }),
  };
}

/**
 * Rows as a search returns them.
 *
 * @param padTokenId Fills rows after their end.
 */
function padded(
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
