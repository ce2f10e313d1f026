// What a model is before it is on a backend: read from its files, new, or joined of two checkpoints.
import { withBlocks } from "../checkpoint/block_tensors.ts";
import type { Checkpoint } from "../checkpoint/mod.ts";
import { openWeights } from "./open_weights.ts";
import { type GenerationConfig, generationConfigOf } from "../generation/mod.ts";
import type { Backend } from "../graph/mod.ts";
import { openRepository, readJson, type Repository } from "../hub/mod.ts";
import { type Limits, resolveLimits } from "../limits/mod.ts";
import type { LoadOptions } from "./load_options.ts";
import {
  type Architecture,
  architectureOf,
  matchWhole,
  ModelParameters,
  readConfig,
  readParameters,
  VisionEncoderDecoderConfig,
  type WarmStartOptions,
} from "../models/mod.ts";

/** A model that is known but not yet on a backend. */
export interface ModelDefinition {
  readonly config: VisionEncoderDecoderConfig;
  /** generation_config.json, or what the configuration holds where there is none. */
  readonly settings: GenerationConfig;
  readonly architecture: Architecture;
  readonly parameters: ModelParameters;
  /** The real paths of the folders that parameters are read from. */
  readonly folders: readonly string[];
}

/** What a model will run on. */
export interface BackendForModel {
  readonly loading: Promise<Backend>;
  /** Say what the model is, which a backend may be chosen by: before it is waited for. */
  choose(architecture: Architecture): void;
}

/** Reads a model's files, while what it will run on is being loaded. */
export type ReadsDefinition = (backend: BackendForModel) => Promise<ModelDefinition>;

/**
 * Read a published model's files; weights are read when a program needs them.
 *
 * @param backend What the model will run on.
 */
export async function readDefinition(
  source: string | URL | Repository,
  backend: BackendForModel,
  options: LoadOptions,
): Promise<ModelDefinition> {
  const repository = await openRepository(source, options);
  const config = new VisionEncoderDecoderConfig(await readConfig(repository, "the model"));
  const limits = resolveLimits(options.limits);
  // A fault of the configuration is reported before the weights are looked for.
  backend.choose(architectureOf(config, limits));
  const settings = await readJson(repository, "generation_config.json") ?? generationConfigOf(config);
  const { checkpoint: opened, convert } = await openWeights(repository, backend.loading, options);
  const checkpoint = withBlocks(opened, config);
  const read = (checkpoint: Checkpoint) => {
    const rules = { fresh: "unused", limits, tensors: checkpoint.names().length } as const;
    return readParameters(config, rules, (names) => [matchWhole(config, checkpoint, names)]);
  };
  let parts = await read(checkpoint);
  // Only a model that fits its configuration is worth converting.
  const converted = await convert?.();
  if (converted) parts = await read(converted);
  return { config, settings, ...parts, folders: [repository.folder ?? []].flat() };
}

/** A model whose parameters are all new. */
// deno-lint-ignore require-await
export async function newDefinition(
  values: VisionEncoderDecoderConfig | Readonly<Record<string, unknown>>,
  { seed, limits }: { seed?: number; limits?: Partial<Limits> },
): Promise<ModelDefinition> {
  const config = new VisionEncoderDecoderConfig(values);
  const architecture = architectureOf(config, resolveLimits(limits));
  const parameters = ModelParameters.gather(config, architecture, () => undefined, { fresh: "all", seed });
  return { config, settings: generationConfigOf(config, { complete: true }), architecture, parameters, folders: [] };
}

/** A model of two checkpoints. */
export async function joinedDefinition(
  encoder: string | URL,
  decoder: string | URL,
  options: WarmStartOptions,
): Promise<ModelDefinition> {
  const { warmStart } = await import("../models/warm_start.ts");
  const joined = await warmStart(encoder, decoder, options);
  return { ...joined, settings: generationConfigOf(joined.config, { complete: true }) };
}
