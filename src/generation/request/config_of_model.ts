// The generation settings of a repository without a generation_config.json: what config.json says.
import { decoders, readSection, type VisionEncoderDecoderConfig } from "../../models/mod.ts";
import { refusedKeys } from "./conflicts.ts";
import type { GenerationConfig } from "./generation_config.ts";
import { settingKeys } from "./settings.ts";

/** The keys of generation_config.json that older repositories have in config.json. */
const legacyKeys = [...settingKeys, ...refusedKeys, "use_cache"];

/**
 * The settings that a model configuration holds: its own fields, and the decoder's for what they leave unset
 * (transformers.GenerationConfig.from_model_config).
 *
 * @param options.complete Whether what the decoder's section leaves out is as its family has it. Of a new model it is; of
 * a repository Transformers takes what config.json says and no more. @default false
 */
export function generationConfigOf(
  config: VisionEncoderDecoderConfig,
  { complete = false }: { complete?: boolean } = {},
): GenerationConfig {
  const settings: GenerationConfig = {};
  const decoder = complete ? readSection(decoders, config.decoder, "decoder").reader.values : config.decoder;
  for (const key of legacyKeys) {
    const value = config[key] ?? decoder[key];
    if (value !== undefined && value !== null) settings[key] = value;
  }
  return settings;
}
