// ELECTRA's generator as a decoder (Clark et al. 2020), as transformers.ElectraForCausalLM: BERT whose embeddings may be
// narrower than its states.
import { bertLayerNames, buildBertDecoder, initialBert } from "./bert_layers.ts";
import { bertDefaults, readBertSizes } from "./bert.ts";
import type { Family, TextDecoder } from "../family.ts";
import { countedPositions } from "./token_positions.ts";

/** ELECTRA. */
export const electra: Family<TextDecoder> = {
  defaults: {
    ...bertDefaults,
    model_type: "electra",
    vocab_size: 30522,
    embedding_size: 128,
    hidden_size: 256,
    num_attention_heads: 4,
    intermediate_size: 1024,
    summary_type: "first",
    summary_use_proj: true,
    summary_activation: "gelu",
    summary_last_dropout: 0.1,
    pad_token_id: 0,
    bos_token_id: null,
    eos_token_id: null,
  },
  basePrefix: "electra",
  build: (config) => {
    const sizes = readBertSizes(config);
    return buildBertDecoder(config, {
      ...sizes,
      tokenTypes: config.whole("type_vocab_size"),
      embeddingSize: config.whole("embedding_size"),
      maxPositions: sizes.positionRows,
      positions: countedPositions,
      names: {
        ...bertLayerNames,
        base: "electra",
        transform: {
          dense: "generator_predictions.dense",
          norm: "generator_predictions.LayerNorm",
          activation: "gelu",
        },
        headBias: "generator_lm_head.bias",
        projection: "generator_lm_head",
      },
    });
  },
  initial: initialBert("word_embeddings"),
};
