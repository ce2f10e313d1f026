// What a search ends with.
import type { Tensor } from "../../tensor/mod.ts";
import type { Generation } from "../request/generation.ts";

/** What a method of decoding gives. */
export interface Decoded {
  /** The tokens of each row, the prompt first, padded to the longest row. */
  readonly sequences: number[][];
  /** Tokens of each row's prompt. */
  readonly promptLengths: number[];
  /** Tokens of each row without its padding. */
  readonly lengths: number[];
  /** Whether a row was cut by the length. */
  readonly truncated: boolean[];
  /** The scores of beams. */
  readonly sequencesScores?: number[];
  /** How sure the model was of each new token of a row, up to its end, if asked for. */
  readonly confidences?: number[][];
  /** Each step's scores after all processors, [rows, V], if asked for. */
  readonly scores?: Tensor[];
  /** What the decoder saw of the pictures, [batch, S, C], if asked for. */
  readonly encoderStates?: Tensor;
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
): Pick<Decoded, "sequences" | "promptLengths" | "lengths"> {
  const lengths = rows.map(({ tokens }) => tokens.length);
  const longest = Math.max(...lengths);
  return {
    sequences: rows.map(({ tokens }) => [...tokens, ...Array(longest - tokens.length).fill(padTokenId)]),
    promptLengths: rows.map(() => promptLength),
    lengths,
  };
}
