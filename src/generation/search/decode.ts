// One generation from pictures to tokens: the method that its settings ask for, on buffers of the right size.
import type { Tensor } from "../../tensor/mod.ts";
import type { Generation } from "../request/generation.ts";
import { isDecidedOnHost, needsRows, programProcessorsOf } from "../scores/processor_list.ts";
import type { GenerateOutput } from "./generate_output.ts";
import { RowSearch } from "./sampling.ts";
import type { Search } from "./search.ts";
import { DeviceTokens } from "./token_deciders.ts";
import type { Session } from "../programs/session.ts";
import type { ModelRunner } from "../programs/model_runner.ts";
import type { Selection } from "../programs/selection_program.ts";

/** How the next tokens of a generation are found: on the device where its processors allow it. */
async function selectionOf(generation: Generation, { architecture, backend }: ModelRunner): Promise<Selection> {
  const { vocabularySize: vocabulary } = architecture.decoder;
  const { numBeams, doSample, outputScores, outputConfidences, topK, stoppingCriteria, eosTokenIds } = generation;
  const reads = outputScores || needsRows(generation);
  const processors = programProcessorsOf(generation, generation);
  if (numBeams > 1) {
    if (reads || doSample) return { kind: "logProbabilities" };
    const { continuationsKept } = await import("./beam_search_state.ts");
    const kept = continuationsKept(generation);
    const each = Math.min(kept, vocabulary);
    // Where a read costs nothing the host ranks as fast, and copies less.
    if (backend.stepsPerRead === 1 || stoppingCriteria.length > 0) {
      return { kind: "candidates", processors, count: each };
    }
    const ends = eosTokenIds.filter((id) => id >= 0 && id < vocabulary);
    return { kind: "beams", processors, beams: numBeams, kept: Math.min(kept, numBeams * each), each, ends };
  }
  if (isDecidedOnHost(generation)) return { kind: "logits" };
  const device = { processors, confident: outputConfidences };
  return doSample ? { kind: "sample", ...device, topK: topK < vocabulary ? topK : 0 } : { kind: "greedy", ...device };
}

/** The search that a generation asks for: what few ask for is loaded when it is. */
async function searchOf(session: Session, generation: Generation): Promise<Search> {
  if (generation.numBeams > 1) return new (await import("./beam_search.ts")).BeamSearch(session, generation);
  const isHosts = session.shape.selection.kind === "logits";
  const Tokens = isHosts ? (await import("./host_tokens.ts")).HostTokens : DeviceTokens;
  return new RowSearch(session, generation, new Tokens(session, generation));
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
): Promise<{ output: GenerateOutput; encoderStates?: Tensor }> {
  const { numBeams, numReturnSequences, promptLength, maxLength, signal, onTimings, outputAttentions } = generation;
  using stream = runner.backend.stream({ signal });
  const [batch, , height, width] = pixelValues.shape;
  const shape = {
    batch,
    beams: Math.max(numBeams, numReturnSequences),
    size: [height, width] as const,
    positions: maxLength,
    selection: await selectionOf(generation, runner),
    interpolate: generation.interpolatePosEncoding,
  };
  const session = await runner.session(shape, stream);
  try {
    const start = performance.now();
    session.encode(pixelValues);
    if (onTimings) await session.readStates({ shape: [1] });
    const encoded = performance.now();
    const search = await searchOf(session, generation);
    while (!search.ended) await search.step();
    const output = await search.finish();
    const tokens = output.sequences.flat().length - output.sequences.length * promptLength;
    onTimings?.({ encode: encoded - start, decode: performance.now() - encoded, tokens });
    return outputAttentions ? { output, encoderStates: await session.readStates() } : { output };
  } catch (error) {
    runner.releaseSession();
    throw error;
  }
}
