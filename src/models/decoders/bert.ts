// BERT as a decoder (Devlin et al. 2018), as transformers.BertLMHeadModel; and BERT for generation (Rothe et al. 2019), as
// transformers.BertGenerationDecoder: BERT without token types, whose head does not transform.
import { bertLayerNames, type BertVariant, buildBertDecoder, initialBert } from "./bert_layers.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import type { Family, TextDecoder } from "../family.ts";
import { activationNames } from "../activations.ts";
import { countedPositions } from "./token_positions.ts";

/** The sizes of a BERT, which others read alike. */
export type BertSizes = Omit<BertVariant, "maxPositions" | "positions" | "names" | "tokenTypes">;

/** Read the sizes of a BERT. @throws {ConfigError} If they cannot work. */
export function readBertSizes(config: ConfigReader): BertSizes {
  const hiddenSize = config.whole("hidden_size");
  const heads = config.whole("num_attention_heads");
  config.headWidth(hiddenSize, heads, "num_attention_heads");
  return {
    hiddenSize,
    heads,
    layers: config.layers("num_hidden_layers"),
    intermediate: config.whole("intermediate_size"),
    activation: config.choice("hidden_act", activationNames),
    epsilon: config.epsilon("layer_norm_eps"),
    positionRows: config.whole("max_position_embeddings"),
    dropout: {
      hidden: config.probability("hidden_dropout_prob"),
      attention: config.probability("attention_probs_dropout_prob"),
    },
  };
}

/** The defaults that BERT and those like it share. */
export const bertDefaults = {
  ...commonDefaults,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  use_cache: true,
  classifier_dropout: null,
  is_decoder: false,
  add_cross_attention: false,
  tie_word_embeddings: true,
};

/** BERT. */
export const bert: Family<TextDecoder> = {
  defaults: {
    ...bertDefaults,
    model_type: "bert",
    vocab_size: 30522,
    pad_token_id: 0,
    bos_token_id: null,
    eos_token_id: null,
  },
  basePrefix: "bert",
  build: (config) => {
    const sizes = readBertSizes(config);
    return buildBertDecoder(config, {
      ...sizes,
      tokenTypes: config.whole("type_vocab_size"),
      maxPositions: sizes.positionRows,
      positions: countedPositions,
      names: {
        ...bertLayerNames,
        base: "bert",
        transform: { dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm" },
        headBias: "cls.predictions.bias",
        projection: "cls.predictions.decoder",
      },
    });
  },
  initial: initialBert("word_embeddings"),
};

const { type_vocab_size: _types, classifier_dropout: _dropout, ...generationDefaults } = bertDefaults;

/** BERT for generation. */
export const bertGeneration: Family<TextDecoder> = {
  defaults: {
    ...generationDefaults,
    model_type: "bert-generation",
    vocab_size: 50358,
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    intermediate_size: 4096,
    pad_token_id: 0,
    bos_token_id: 2,
    eos_token_id: 1,
  },
  basePrefix: "bert",
  build: (config) => {
    const sizes = readBertSizes(config);
    return buildBertDecoder(config, {
      ...sizes,
      tokenTypes: 0,
      maxPositions: sizes.positionRows,
      positions: countedPositions,
      names: { ...bertLayerNames, base: "bert", headBias: "lm_head.bias", projection: "lm_head.decoder" },
    });
  },
  initial: initialBert("word_embeddings"),
};
