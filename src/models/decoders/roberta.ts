// RoBERTa as a decoder (Liu et al. 2019), as transformers.RobertaForCausalLM: BERT whose positions skip pads.
import { bertLayerNames, buildBertDecoder, initialBert } from "./bert_layers.ts";
import { bertDefaults, readBertSizes } from "./bert.ts";
import type { Family, TextDecoder } from "../family.ts";
import { unpaddedPositions } from "./token_positions.ts";

/** RoBERTa. */
export const roberta: Family<TextDecoder> = {
  defaults: {
    ...bertDefaults,
    model_type: "roberta",
    vocab_size: 50265,
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
  },
  basePrefix: "roberta",
  build: (config) => {
    const sizes = readBertSizes(config);
    // Positions begin behind the pad's.
    const padding = config.whole("pad_token_id", 0, sizes.positionRows - 2);
    return buildBertDecoder(config, {
      ...sizes,
      maxPositions: sizes.positionRows - padding - 1,
      positions: (table, inputs) => unpaddedPositions(table, inputs, padding),
      names: {
        ...bertLayerNames,
        base: "roberta",
        transform: "lm_head.dense",
        transformNorm: "lm_head.layer_norm",
        transformActivation: "gelu",
        headBias: "lm_head.bias",
        projection: "lm_head.decoder",
      },
    });
  },
  initial: (name, config) => initialBert(name, config, { tables: ["word_embeddings", "position_embeddings"] }),
};
