// The mistakes that make a training go wrong without a word, found before its first step: each is an error that says what
// to do.
import { ConfigError, ShapeError } from "../../errors/mod.ts";
import type { GenerationConfig } from "../../generation/mod.ts";
import type { Limits } from "../../limits/mod.ts";
import { architectureOf, type VisionEncoderDecoderConfig } from "../../models/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";

/** What is asked of a model. */
export interface LabelledModel {
  readonly config: VisionEncoderDecoderConfig;
  readonly generationConfig: GenerationConfig;
  readonly limits?: Limits;
}

/** Labels, and what messages call them. */
export interface LabelledData {
  readonly tokenizer: Tokenizer;
  readonly endTokenId: number;
  readonly names: readonly string[];
  /** The labels of an example, the end token last. */
  labelsOf(index: number): ArrayLike<number>;
  readonly size: number;
}

/**
 * Check that a model can learn the labels of a data set.
 *
 * @throws {ConfigError} If the model has no start or pad token, its vocabulary lacks a label, or it does not know the
 * token that ends them.
 * @throws {ShapeError} If labels are longer than the decoder's positions.
 */
export function checkLabels(data: LabelledData, model: LabelledModel): void {
  const { config, generationConfig, limits } = model;
  const { tokenizer, endTokenId } = data;
  const suggest = (id: number | undefined) => id === undefined ? "the token's id" : `${id}`;
  needToken(config, "pad_token_id", suggest(tokenizer.padTokenId ?? endTokenId));
  needToken(config, "decoder_start_token_id", suggest(tokenizer.clsTokenId ?? tokenizer.bosTokenId));
  const ends = [generationConfig.eos_token_id ?? []].flat() as number[];
  if (!ends.includes(endTokenId)) {
    throw new ConfigError(
      `Cannot train on the labels: they end with token ${endTokenId}, and generate ends a text at ` +
        `${ends.length ? ends.join(", ") : "none"}, so that it would never stop; set ` +
        `model.generationConfig.eos_token_id = ${endTokenId}`,
      "eos_token_id",
    );
  }
  const { vocabularySize, maxPositions = Infinity } = architectureOf(config, limits).decoder;
  for (let index = 0; index < data.size; index++) checkRow(data, index, { vocabularySize, maxPositions });
}

function needToken(
  config: VisionEncoderDecoderConfig,
  key: "pad_token_id" | "decoder_start_token_id",
  value: string,
): void {
  if (typeof config[key] === "number") return;
  throw new ConfigError(
    `Cannot train on the labels: config.${key} is not set, and labels are shifted right with it; ` +
      `set model.config.${key} = ${value}`,
    key,
  );
}

function checkRow(
  data: LabelledData,
  index: number,
  { vocabularySize, maxPositions }: { readonly vocabularySize: number; readonly maxPositions: number },
): void {
  const labels = data.labelsOf(index);
  const name = data.names[index];
  if (labels.length > maxPositions) {
    throw new ShapeError(
      `Cannot train on ${name}: its text has ${labels.length} tokens, and the decoder has ${maxPositions} positions; ` +
        `maxLength: ${maxPositions} counts such texts as broken`,
    );
  }
  for (let t = 0; t < labels.length; t++) {
    if (labels[t] < vocabularySize) continue;
    throw new ConfigError(
      `Cannot train on ${name}: its token ${labels[t]} (${JSON.stringify(data.tokenizer.idToToken(labels[t]))}) is ` +
        `beyond the decoder's vocabulary of ${vocabularySize}; ` +
        `await model.resizeTokenEmbeddings(${data.tokenizer.vocabularySize}) makes room`,
      "decoder.vocab_size",
    );
  }
}
