// The generation settings of a repository: generation_config.json, or what config.json says where there is none.
// The keys are those of the file; a person's options (options.ts) are laid over them at each call.
import { decoders, readSection, type VisionEncoderDecoderConfig } from "../../models/mod.ts";
import { refusedKeys } from "./conflicts.ts";
import { settingKeys } from "./settings.ts";

/** Generation settings with generation_config.json's keys; absent and null both mean unset. */
export interface GenerationConfig {
  [key: string]: unknown;
  max_length?: number | null;
  max_new_tokens?: number | null;
  eos_token_id?: number | number[] | null;
  pad_token_id?: number | null;
  bos_token_id?: number | null;
  decoder_start_token_id?: number | null;
}

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
