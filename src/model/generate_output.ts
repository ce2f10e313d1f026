// What `generate` returns, and the attentions of the rows that it wrote.
import type { VisionEncoderDecoderConfig } from "../models/mod.ts";
import { Tensor } from "../tensor/mod.ts";
import type { ForwardRunner } from "./forward.ts";

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
 * The attentions of rows that were generated: one more run of the decoder over them.
 *
 * @param states The encoder's, [batch, S, C].
 * @param sequences The rows, as many of each picture.
 */
export async function attend(
  forward: ForwardRunner,
  states: Tensor,
  sequences: readonly (readonly number[])[],
  config: VisionEncoderDecoderConfig,
): Promise<Pick<GenerateOutput, "crossAttentions">> {
  const [batch, ...rest] = states.shape;
  const size = states.size / batch;
  const ofRows = new Float32Array(sequences.length * size);
  sequences.forEach((_, row) => {
    const picture = Math.floor(row * batch / sequences.length);
    ofRows.set((states.data as Float32Array).subarray(picture * size, (picture + 1) * size), row * size);
  });
  const { crossAttentions } = await forward.run({
    encoderOutputs: new Tensor("float32", [sequences.length, ...rest], ofRows),
    decoderInputIds: sequences.map((row) => row.slice(0, -1)),
    outputAttentions: true,
  }, config);
  return { crossAttentions };
}
