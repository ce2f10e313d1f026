// Where the decoder looked while it wrote rows.
import type { GenerateOutput } from "../generation/mod.ts";
import type { VisionEncoderDecoderConfig } from "../models/mod.ts";
import { Tensor } from "../tensor/mod.ts";
import type { ForwardRunner } from "./forward.ts";

/**
 * The attentions of rows that were generated: one more run of the decoder over them.
 *
 * @param states The encoder's, [batch, S, C].
 * @param sequences The rows, as many of each picture.
 */
export async function crossAttentionsOf(
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
