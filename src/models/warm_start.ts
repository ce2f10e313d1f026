// A model made of two separate checkpoints, as VisionEncoderDecoderModel.from_encoder_decoder_pretrained: an encoder with
// or without a head, and the decoder part of any language model. What neither has is new.
import { type Checkpoint, openCheckpoint } from "../checkpoint/mod.ts";
import { openRepository, type RepositoryOptions } from "../hub/mod.ts";
import { type Limits, resolveLimits } from "../limits/mod.ts";
import { decoders, encoders, readSection } from "./registry.ts";
import type { Family } from "./family.ts";
import type { ModelParameters } from "./parameters/model_parameters.ts";
import { readConfig } from "./config/read_config.ts";
import { readParameters } from "./parameters/read_parameters.ts";
import { matchNames, type Spelling, spellingsOf } from "./parameters/stored_names.ts";
import type { Architecture } from "./vision_encoder_decoder.ts";
import { VisionEncoderDecoderConfig } from "./config/vision_encoder_decoder_config.ts";

/** Options of a warm start. */
export interface WarmStartOptions extends RepositoryOptions {
  /** Makes the random numbers of new parameters. @default 0 */
  readonly seed?: number;
  /** Fields that differ from the encoder's config.json. */
  readonly encoderOverrides?: object;
  /** Fields that differ from the decoder's config.json. */
  readonly decoderOverrides?: object;
  /** The most that the two may ask for. */
  readonly limits?: Partial<Limits>;
}

/** The sequence-to-sequence models of which only the decoder is taken; Transformers marks their configurations so. */
const onlyDecoder = ["bart", "mbart", "trocr"];

/** One of the two checkpoints. */
interface Part {
  readonly section: Record<string, unknown>;
  readonly family: Family<unknown>;
  readonly checkpoint: Checkpoint;
  /** The folder it is read from, if it is one of the user's own. */
  readonly folder: string | undefined;
}

async function openPart(
  source: string | URL,
  part: "encoder" | "decoder",
  options: WarmStartOptions,
): Promise<Part> {
  const repository = await openRepository(source, options);
  const values = await readConfig(repository, `the ${part}`);
  const overrides = part === "encoder" ? options.encoderOverrides : options.decoderOverrides;
  const { family, reader } = part === "encoder"
    ? readSection(encoders, { ...values, ...overrides }, part)
    : readSection(decoders, { ...values, ...overrides }, part);
  const checkpoint = await openCheckpoint(repository);
  return { section: { ...reader.values }, family, checkpoint, folder: repository.folder };
}

/** The ways that a parameter may be spelled in a checkpoint of its own, the likeliest first. */
function waysOf(name: string, part: "encoder" | "decoder", family: Family<unknown>): Spelling[] {
  const prefix = `${family.basePrefix}.`;
  if (part === "encoder") {
    const ways = [...spellingsOf(name, family)];
    return [...ways, ...ways.map((way) => way.map((one) => prefix + one))];
  }
  const names = [name, name.startsWith(prefix) ? name.slice(prefix.length) : name];
  // Sequence-to-sequence models keep the embedding that encoder and decoder share apart.
  if (name === "model.decoder.embed_tokens.weight") names.push("model.shared.weight", "shared.weight");
  return names.map((one) => [one]);
}

/** Two checkpoints as one model. */
export interface Joined {
  readonly config: VisionEncoderDecoderConfig;
  readonly architecture: Architecture;
  readonly parameters: ModelParameters;
  /** The folders that they are read from. */
  readonly folders: readonly string[];
}

/**
 * Join two checkpoints.
 *
 * @param encoder The encoder's folder, web address, or name on the Hub.
 * @param decoder The decoder's.
 * @throws {HubError} If one of them is not there.
 * @throws {ConfigError} If one of them is of a family that Limner does not know as encoder or decoder.
 */
export async function warmStart(
  encoder: string | URL,
  decoder: string | URL,
  options: WarmStartOptions = {},
): Promise<Joined> {
  const seeing = await openPart(encoder, "encoder", options);
  const writing = await openPart(decoder, "decoder", options);
  if (onlyDecoder.includes(String(writing.section.model_type))) writing.section.is_encoder_decoder = false;
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    seeing.section as { model_type: string },
    writing.section as { model_type: string },
    { tie_word_embeddings: false },
  );
  return {
    config,
    folders: [seeing.folder ?? [], writing.folder ?? []].flat(),
    ...await readParameters(
      config,
      { fresh: "all", seed: options.seed, limits: resolveLimits(options.limits) },
      (names) => {
        const weights = (["encoder", "decoder"] as const).map((part) => {
          const { checkpoint, family } = part === "encoder" ? seeing : writing;
          const own = names.filter((name) => name.startsWith(`${part}.`));
          return matchNames(checkpoint, own, (name) => {
            return name.startsWith(`${part}.`) ? waysOf(name.slice(part.length + 1), part, family) : [];
          });
        });
        return weights;
      },
    ),
  };
}
