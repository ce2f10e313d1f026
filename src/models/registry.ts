// The families Limner knows, by the model_type of their configurations.
import { ConfigError } from "../errors/mod.ts";
import { isRecord } from "../hub/mod.ts";
import type { Limits } from "../limits/mod.ts";
import { ConfigReader, type Fields, labelsOf, type PretrainedConfig } from "./config/config_reader.ts";
import type { Family, TextDecoder, VisionEncoder } from "./family.ts";
import { joinedModelType, joinSections } from "./config/join_sections.ts";
import { bart, mbart } from "./decoders/bart.ts";
import { beit, data2vecVision } from "./encoders/beit.ts";
import { bert, bertGeneration } from "./decoders/bert.ts";
import { clipVision, siglipVision } from "./encoders/clip.ts";
import { dinov2 } from "./encoders/dinov2.ts";
import { deit } from "./encoders/deit.ts";
import { distilbert } from "./decoders/distilbert.ts";
import { electra } from "./decoders/electra.ts";
import { gpt2 } from "./decoders/gpt2.ts";
import { camembert, roberta, robertaPreLayerNorm, xlmRoberta } from "./decoders/roberta.ts";
import { donutSwin, swin } from "./encoders/swin.ts";
import { swinv2 } from "./encoders/swinv2.ts";
import { trocr } from "./decoders/trocr.ts";
import { vit } from "./encoders/vit.ts";

/** The encoders by model_type. */
export const encoders: Readonly<Record<string, Family<VisionEncoder>>> = {
  vit,
  deit,
  beit,
  "data2vec-vision": data2vecVision,
  dinov2,
  clip_vision_model: clipVision,
  siglip_vision_model: siglipVision,
  swin,
  swinv2,
  "donut-swin": donutSwin,
};

/** The decoders by model_type. */
export const decoders: Readonly<Record<string, Family<TextDecoder>>> = {
  gpt2,
  bert,
  roberta,
  "xlm-roberta": xlmRoberta,
  camembert,
  "roberta-prelayernorm": robertaPreLayerNorm,
  electra,
  "bert-generation": bertGeneration,
  distilbert,
  bart,
  mbart,
  trocr,
};

/**
 * A configuration as Transformers completes it: other names understood, defaults filled in, and computed what follows.
 *
 * @param given Its fields; unknown ones are kept.
 */
export function complete<M>({ defaults, aliases = {}, derive }: Family<M>, given: Fields): PretrainedConfig {
  const { num_labels: labels, ...fields } = structuredClone(given);
  const known = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [Object.hasOwn(aliases, key) ? aliases[key] : key, value]),
  );
  const config: PretrainedConfig = {
    ...structuredClone(defaults),
    ...(typeof labels === "number" && !known.id2label && labelsOf(labels)),
    ...known,
  };
  for (const [key, value] of Object.entries(derive?.(config, known) ?? {})) {
    if ((known[key] ?? null) === null) config[key] = value;
  }
  return config;
}

/**
 * Complete a section of a config.json.
 *
 * @param families The families to choose from.
 * @param section The section's object.
 * @param path Its name: `encoder` or `decoder`.
 * @param limits The most that it may ask for.
 * @throws {ConfigError} If it is missing or of an unknown model_type.
 */
export function readSection<M>(
  families: Readonly<Record<string, Family<M>>>,
  section: unknown,
  path: string,
  limits?: Limits,
): { family: Family<M>; reader: ConfigReader } {
  if (!isRecord(section)) {
    throw new ConfigError(`Cannot build the model: config.json has no "${path}" section, which describes it`, path);
  }
  const family = familyOf(families, section.model_type, path);
  return { family, reader: new ConfigReader(complete(family, section), path, limits) };
}

function familyOf<M>(families: Readonly<Record<string, Family<M>>>, modelType: unknown, path: string): Family<M> {
  if (typeof modelType === "string" && Object.hasOwn(families, modelType)) return families[modelType];
  const found = modelType === undefined ? "missing" : JSON.stringify(modelType);
  throw new ConfigError(
    `Cannot build the ${path}: ${path}.model_type is ${found}, expected one of ${Object.keys(families).join(", ")}`,
    `${path}.model_type`,
  );
}

/**
 * The configuration that Hugging Face gives a model type by default.
 *
 * @param modelType The model_type, such as `vit` or `trocr`.
 * @param overrides Fields that differ.
 * @throws {ConfigError} If the model type is not known.
 */
export function defaultConfig(modelType: string, overrides: Fields = {}): PretrainedConfig {
  const families: Record<string, Family<VisionEncoder | TextDecoder>> = { ...encoders, ...decoders };
  if (modelType === joinedModelType) {
    return { ...joinSections(complete(vit, {}), complete(bert, {})), ...overrides };
  }
  return complete(familyOf(families, modelType, "model"), overrides);
}
