// Two configurations made one: what transformers.VisionEncoderDecoderConfig holds for an encoder and a decoder.
import { commonDefaults, type PretrainedConfig } from "./config_reader.ts";

/** The model_type of the whole. */
export const joinedModelType = "vision-encoder-decoder";

/** A section of the whole says nothing of the library's version. */
function sectionOf(config: Readonly<Record<string, unknown>>): PretrainedConfig {
  const { transformers_version: _version, ...section } = structuredClone(config);
  return section as PretrainedConfig;
}

/** The fields of a configuration of both; the decoder becomes one with cross-attention. */
export function joinSections(
  encoder: Readonly<Record<string, unknown>>,
  decoder: Readonly<Record<string, unknown>>,
): PretrainedConfig {
  return {
    ...structuredClone(commonDefaults),
    model_type: joinedModelType,
    is_encoder_decoder: true,
    encoder: sectionOf(encoder),
    decoder: { ...sectionOf(decoder), is_decoder: true, add_cross_attention: true },
  };
}

/**
 * The fields as config.json has them: without those of every configuration that are as they are by default.
 *
 * @param config A configuration, or a section of one.
 * @param defaults What its family has by default, where that is not what the others have.
 */
export function withoutCommon(
  config: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const common: Readonly<Record<string, unknown>> = commonDefaults;
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => {
      if (key === "transformers_version") return true;
      return !Object.hasOwn(common, key) || !same(value, defaults[key] ?? common[key]);
    }),
  );
}
