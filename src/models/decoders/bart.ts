// BART's and mBART's decoders (Lewis et al. 2019, Liu et al. 2020), as transformers.BartForCausalLM and MBartForCausalLM.
import { buildBartDecoder, initialBart } from "./bart_layers.ts";
import { commonDefaults, labelsOf } from "../config/config_reader.ts";
import type { Family, TextDecoder } from "../family.ts";

const shared = {
  ...commonDefaults,
  is_encoder_decoder: true,
  vocab_size: 50265,
  max_position_embeddings: 1024,
  encoder_layers: 12,
  encoder_ffn_dim: 4096,
  encoder_attention_heads: 16,
  decoder_layers: 12,
  decoder_ffn_dim: 4096,
  decoder_attention_heads: 16,
  encoder_layerdrop: 0.0,
  decoder_layerdrop: 0.0,
  activation_function: "gelu",
  d_model: 1024,
  dropout: 0.1,
  attention_dropout: 0.0,
  activation_dropout: 0.0,
  init_std: 0.02,
  classifier_dropout: 0.0,
  scale_embedding: false,
  use_cache: true,
  pad_token_id: 1,
  bos_token_id: 0,
  eos_token_id: 2,
  forced_eos_token_id: 2,
  is_decoder: false,
  tie_word_embeddings: true,
};

/** Transformers takes the general names for the encoder's sizes, which a decoder has not. */
const aliases = {
  num_attention_heads: "encoder_attention_heads",
  hidden_size: "d_model",
  num_hidden_layers: "encoder_layers",
};

/** BART. */
export const bart: Family<TextDecoder> = {
  defaults: { ...shared, ...labelsOf(3), model_type: "bart", decoder_start_token_id: 2 },
  basePrefix: "model",
  aliases,
  build: (config) => buildBartDecoder(config, { preNorm: false, embeddingNorm: true, head: "lm_head" }),
  initial: initialBart,
};

/** mBART: BART normalised before each part. */
export const mbart: Family<TextDecoder> = {
  defaults: { ...shared, model_type: "mbart", decoder_start_token_id: null },
  basePrefix: "model",
  aliases,
  build: (config) => buildBartDecoder(config, { preNorm: true, embeddingNorm: true, head: "lm_head" }),
  initial: initialBart,
};
