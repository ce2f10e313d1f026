// One generation from pictures to tokens: the method that its settings ask for, on buffers of the right size.
import type { Tensor } from "../tensor/mod.ts";
import { candidatesKept, decodeBeams } from "./beams.ts";
import { decodeGreedily } from "./greedy.ts";
import type { GenerateOptions, Generation } from "./options.ts";
import { lengthRules, needsRows } from "./processors.ts";
import { type Decoded, decodeRows } from "./rows.ts";
import type { ModelRunner } from "./runner.ts";

/**
 * Decode pictures.
 *
 * @param pixelValues Shape [batch, channels, height, width], float32.
 * @returns The rows of tokens, `numReturnSequences` a picture. After a failure or an abort the buffers are released.
 */
export async function decode(
  runner: ModelRunner,
  pixelValues: Tensor,
  generation: Generation,
  options: GenerateOptions,
): Promise<Decoded> {
  const { numBeams, numReturnSequences, doSample, prompts, maxLength, outputScores } = generation;
  const [batch, , height, width] = pixelValues.shape;
  const ruled = needsRows(generation) ||
    lengthRules(generation, { promptLength: prompts[0].length, maxLength }).length > 0;
  const onDevice = numBeams === 1 && !doSample && !outputScores && !ruled;
  const { vocabularySize } = runner.architecture.decoder;
  const candidates = { candidates: Math.min(candidatesKept(generation), vocabularySize) };
  const session = await runner.session({
    batch,
    beams: Math.max(numBeams, numReturnSequences),
    size: [height, width],
    positions: maxLength,
    logits: 1,
    selection: onDevice ? "greedy" : numBeams > 1 && !doSample && !outputScores && !ruled ? candidates : "none",
    interpolate: options.interpolatePosEncoding ?? false,
  });
  try {
    const start = performance.now();
    session.encode(pixelValues);
    if (options.onTimings) await session.read("encoderStates", { shape: [1], signal: options.signal });
    const encoded = performance.now();
    const method = numBeams > 1 ? decodeBeams : onDevice ? decodeGreedily : decodeRows;
    const output = await method(session, generation, options);
    const tokens = output.sequences.flat().length - output.sequences.length * prompts[0].length;
    options.onTimings?.({ encode: encoded - start, decode: performance.now() - encoded, tokens });
    return output;
  } catch (error) {
    runner.releaseSession();
    throw error;
  }
}
