// The configuration of a VisionEncoderDecoder model: config.json with an encoder and a decoder section.
import { ConfigError } from "../../errors/mod.ts";
import { isRecord, openRepository, type RepositoryOptions } from "../../hub/mod.ts";
import { joinedModelType, joinSections, withoutCommon } from "./join_sections.ts";
import type { Family } from "../family.ts";
import { readConfig } from "./read_config.ts";
import { complete, decoders, encoders } from "../registry.ts";
import { commonDefaults, type PretrainedConfig } from "./config_reader.ts";

/** A VisionEncoderDecoder configuration; its fields have config.json's names and may be set. */
export class VisionEncoderDecoderConfig {
  /** Whatever else config.json has, by its own key. */
  [key: string]: unknown;
  /** Always `vision-encoder-decoder`. */
  declare model_type: string;
  /** The encoder's configuration. */
  declare encoder: PretrainedConfig;
  /** The decoder's configuration. */
  declare decoder: PretrainedConfig;

  /**
   * Make a configuration of the fields of a config.json.
   *
   * @param values The fields of config.json; unknown ones are kept.
   * @throws {ConfigError} If it is of another model type, or a section is missing.
   */
  constructor(values: Readonly<Record<string, unknown>>) {
    if (!isRecord(values)) throw new ConfigError("Cannot build the model: expected the fields of a configuration", "");
    if (values.model_type !== joinedModelType) {
      const found = values.model_type === undefined ? "missing" : JSON.stringify(values.model_type);
      throw new ConfigError(
        `Cannot build the model: model_type is ${found}, expected "${joinedModelType}"`,
        "model_type",
      );
    }
    for (const path of ["encoder", "decoder"]) {
      if (!isRecord(values[path])) {
        throw new ConfigError(`Cannot build the model: config.json has no "${path}" section`, path);
      }
    }
    Object.assign(this, structuredClone(values));
    this.decoder.is_decoder = true;
    this.decoder.add_cross_attention = true;
  }

  /**
   * Join the configurations of an encoder and a decoder.
   *
   * @param encoder The encoder's configuration; what it leaves out is as its family has it.
   * @param decoder The decoder's, likewise; it becomes a decoder with cross-attention.
   * @param overrides Fields of the whole.
   */
  static fromEncoderDecoderConfigs(
    encoder: PretrainedConfig,
    decoder: PretrainedConfig,
    overrides: Readonly<Record<string, unknown>> = {},
  ): VisionEncoderDecoderConfig {
    const whole = (families: Readonly<Record<string, Family<unknown>>>, section: PretrainedConfig) => {
      const family = families[section.model_type];
      return family ? complete(family, section) : section;
    };
    const joined = joinSections(whole(encoders, encoder), whole(decoders, decoder));
    return new VisionEncoderDecoderConfig({ ...joined, ...overrides });
  }

  /**
   * Read config.json.
   *
   * @param source A model's folder, its web address, or its name on the Hub.
   * @throws {HubError} If there is no such folder.
   * @throws {FormatError} If config.json is not JSON.
   * @throws {ConfigError} If it has no config.json, or that does not describe a VisionEncoderDecoder model.
   */
  static async fromPretrained(
    source: string | URL,
    options: RepositoryOptions = {},
  ): Promise<VisionEncoderDecoderConfig> {
    const repository = await openRepository(source, options);
    return new VisionEncoderDecoderConfig(await readConfig(repository, "the model"));
  }

  /** All fields, with config.json's keys. */
  toJSON(): Record<string, unknown> {
    return { ...this };
  }

  /** The fields that are written to config.json: fields that every configuration has by default are left out. */
  toFile(): Record<string, unknown> {
    const whole = withoutCommon(this.toJSON());
    const section = (config: PretrainedConfig, families: typeof encoders | typeof decoders) => {
      const family = families[config.model_type];
      const { transformers_version: _version, ...fields } = withoutCommon(config, family?.defaults);
      return fields;
    };
    return {
      ...whole,
      encoder: section(this.encoder, encoders),
      decoder: section(this.decoder, decoders),
      transformers_version: commonDefaults.transformers_version,
    };
  }
}
