// One generation from pictures to tokens: the method that its settings ask for, on buffers of the right size.
import type { Tensor } from "../tensor/mod.ts";
import { candidatesKept, decodeBeams } from "./beams.ts";
import type { GenerateOptions, Generation } from "./options.ts";
import { needsRows } from "./processors.ts";
import { type Decoded, decodeRows } from "./rows.ts";
import { programRulesOf } from "./rules.ts";
import type { ModelRunner } from "./runner.ts";
import type { Selection } from "./select.ts";
import { needsDistribution } from "./warpers.ts";

/** How the next tokens of a generation are found: on the device where its rules allow it. */
function selectionOf(generation: Generation, vocabulary: number): Selection {
  const { numBeams, doSample, outputScores, topK } = generation;
  const reads = outputScores || needsRows(generation);
  const rules = programRulesOf(generation);
  if (numBeams > 1) {
    if (reads || doSample) return { kind: "logProbabilities" };
    return { kind: "candidates", rules, count: Math.min(candidatesKept(generation), vocabulary) };
  }
  // Where n-grams leave no token to draw the host says so.
  if (reads || (doSample && (needsDistribution(generation) || rules.ngrams > 0))) return { kind: "logits" };
  return doSample ? { kind: "sample", rules, topK: topK < vocabulary ? topK : 0 } : { kind: "greedy", rules };
}

/**
 * Decode pictures.
 *
 * @param pixelValues Shape [batch, channels, height, width], float32.
 * @returns The rows of tokens, `numReturnSequences` a picture; with `outputAttentions` the encoder's states. After a failure or an abort the buffers are released.
 */
export async function decode(
  runner: ModelRunner,
  pixelValues: Tensor,
  generation: Generation,
  options: GenerateOptions,
): Promise<Decoded> {
  const { numBeams, numReturnSequences, prompts, maxLength } = generation;
  const { signal } = options;
  const [batch, , height, width] = pixelValues.shape;
  const { vocabularySize } = runner.architecture.decoder;
  const session = await runner.session({
    batch,
    beams: Math.max(numBeams, numReturnSequences),
    size: [height, width],
    positions: maxLength,
    selection: selectionOf(generation, vocabularySize),
    interpolate: options.interpolatePosEncoding ?? false,
  });
  try {
    const start = performance.now();
    session.encode(pixelValues);
    if (options.onTimings) await session.readStates({ shape: [1], signal });
    const encoded = performance.now();
    const output = await (numBeams > 1 ? decodeBeams : decodeRows)(session, generation, options);
    const tokens = output.sequences.flat().length - output.sequences.length * prompts[0].length;
    options.onTimings?.({ encode: encoded - start, decode: performance.now() - encoded, tokens });
    return options.outputAttentions ? { ...output, encoderStates: await session.readStates({ signal }) } : output;
  } catch (error) {
    runner.releaseSession();
    throw error;
  }
}
