// RoBERTa as a decoder (Liu et al. 2019), as transformers.RobertaForCausalLM: BERT whose positions skip pads. XLM-RoBERTa
// (Conneau et al. 2019) and CamemBERT (Martin et al. 2019) are RoBERTa by other names; RoBERTa-PreLayerNorm normalises
// before each part, and once at the end.
import { bertLayerNames, type BertNames, buildBertDecoder, initialBert } from "./bert_layers.ts";
import { bertDefaults, readBertSizes } from "./bert.ts";
import type { Family, TextDecoder } from "../family.ts";
import { unpaddedPositions } from "./token_positions.ts";

/** A family of this kind. */
function robertaFamily(
  modelType: string,
  options: { vocabularySize: number; base?: string; names?: Partial<BertNames> },
): Family<TextDecoder> {
  const { vocabularySize, base = "roberta", names } = options;
  return {
    defaults: {
      ...bertDefaults,
      model_type: modelType,
      vocab_size: vocabularySize,
      pad_token_id: 1,
      bos_token_id: 0,
      eos_token_id: 2,
    },
    basePrefix: base,
    build: (config) => {
      const sizes = readBertSizes(config);
      // Positions begin after the pad's.
      const padding = config.whole("pad_token_id", 0, sizes.positionRows - 2);
      const decoder = buildBertDecoder(config, {
        ...sizes,
        tokenTypes: config.whole("type_vocab_size"),
        maxPositions: sizes.positionRows - padding - 1,
        positions: (table, inputs) => unpaddedPositions(table, inputs, padding),
        names: {
          ...bertLayerNames,
          base,
          transform: { dense: "lm_head.dense", norm: "lm_head.layer_norm", activation: "gelu" },
          headBias: "lm_head.bias",
          projection: "lm_head.decoder",
          ...names,
        },
      });
      return { ...decoder, uncountedToken: padding };
    },
    initial: initialBert("word_embeddings", "position_embeddings"),
  };
}

/** RoBERTa. */
export const roberta: Family<TextDecoder> = robertaFamily("roberta", { vocabularySize: 50265 });

/** XLM-RoBERTa. */
export const xlmRoberta: Family<TextDecoder> = robertaFamily("xlm-roberta", { vocabularySize: 30522 });

/** CamemBERT. */
export const camembert: Family<TextDecoder> = robertaFamily("camembert", { vocabularySize: 30522 });

/** RoBERTa-PreLayerNorm. */
export const robertaPreLayerNorm: Family<TextDecoder> = robertaFamily("roberta-prelayernorm", {
  vocabularySize: 50265,
  base: "roberta_prelayernorm",
  names: {
    attendedNorm: "attention.LayerNorm",
    crossNorm: "crossattention.LayerNorm",
    outerNorm: "intermediate.LayerNorm",
    finalNorm: "LayerNorm",
  },
});
