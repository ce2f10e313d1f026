// A model's parameters found in the checkpoints that hold them: names matched, ties kept or loosened as the files say.
import type { Checkpoint } from "../../checkpoint/mod.ts";
import { ConfigError } from "../../errors/mod.ts";
import type { Limits } from "../../limits/mod.ts";
import type { Family } from "../family.ts";
import { declaredParameters, ModelParameters } from "./model_parameters.ts";
import { encoders } from "../registry.ts";
import { matchNames, type NamedWeights, type Spelling, spellingsOf } from "./stored_names.ts";
import { checkMatched } from "./unmatched_names.ts";
import { findTied, untieDifferent } from "./tied_parameters.ts";
import { type Architecture, architectureOf } from "../vision_encoder_decoder.ts";
import type { VisionEncoderDecoderConfig } from "../config/vision_encoder_decoder_config.ts";

/**
 * Find the parameters of a configuration's model.
 *
 * @param options As those of `ModelParameters.gather`.
 * @param options.limits The most that the configuration may ask for.
 * @param options.tensors How many tensors the checkpoints have, where they must have all parameters.
 * @param match Matches the model's names with those of the checkpoints; a parameter is taken from the first that has it.
 * @throws {ConfigError} If the configuration cannot work.
 * @throws {ShapeError} If a parameter has another shape than the configuration says.
 * @throws {LimitError} If the configuration asks for more than is allowed.
 * @throws {FormatError} If a parameter's type is not read.
 */
export async function readParameters(
  config: VisionEncoderDecoderConfig,
  { limits, tensors, ...options }: { fresh: "all" | "unused"; seed?: number; limits?: Limits; tensors?: number },
  match: (names: readonly string[]) => readonly NamedWeights[],
): Promise<{ architecture: Architecture; parameters: ModelParameters }> {
  const tied = architectureOf(config, limits);
  if (tensors !== undefined) checkLayers(tied, tensors);
  const declared = declaredParameters(tied);
  const weights = match([...declared.keys(), ...tied.ties.keys()]);
  const find = (name: string) => weights.map((each) => each.find(name)).find((found) => found);
  const architecture = await untieDifferent(tied, find);
  const parameters = ModelParameters.gather(config, architecture, findTied(architecture, find), {
    ...options,
    leftOver: () => ({
      unusedTensors: weights.flatMap((each) => each.unused()),
      namePrefixes: [...new Set(weights.map((each) => each.prefix()))].filter((prefix) => prefix !== ""),
    }),
    declared: architecture === tied ? declared : undefined,
  });
  return { architecture, parameters };
}

/** Each layer has parameters: what asks for more layers than there are tensors is refused before they are built. */
function checkLayers({ layerCounts }: Architecture, tensors: number): void {
  for (const [key, count] of layerCounts) {
    if (count <= tensors) continue;
    throw new ConfigError(`Cannot load the model: ${key} is ${count}, but the weights have ${tensors} tensors`, key);
  }
}

function* encoderSpellings(name: string, family: Family<unknown>): Generator<Spelling> {
  for (const way of spellingsOf(name, family)) yield way.map((part) => `encoder.${part}`);
}

/**
 * The names of a whole model in its own checkpoint, its encoder's also as other writers have them.
 *
 * @throws {FormatError} If the checkpoint has no parameter of the encoder, or none of the decoder.
 */
export function matchWhole(
  config: VisionEncoderDecoderConfig,
  checkpoint: Checkpoint,
  names: readonly string[],
): NamedWeights {
  const family = encoders[config.encoder.model_type];
  const weights = matchNames(checkpoint, names, (name) => {
    if (!name.startsWith("encoder.")) return [[name]];
    return encoderSpellings(name.slice("encoder.".length), family);
  });
  checkMatched(config, checkpoint, names, (name) => weights.has(name));
  return weights;
}
