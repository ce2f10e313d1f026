// TrOCR's decoder (Li et al. 2021), as transformers.TrOCRForCausalLM: BART's, with learned or sinusoidal positions.
import { Tensor } from "../../tensor/mod.ts";
import { buildBartDecoder, initialBart } from "./bart_layers.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import type { Family, TextDecoder } from "../family.ts";
import { unpaddedPositions } from "./token_positions.ts";

/**
 * The sinusoidal table of tensor2tensor: a row is sin and then cos of its position, in halves; that of pad is zero.
 *
 * @returns Shape [rows, width].
 */
export function sinusoidalTable(rows: number, width: number, padding: number): Tensor {
  const half = Math.floor(width / 2);
  const data = new Float32Array(rows * width);
  // float32 throughout, as PyTorch computes it.
  const step = Math.fround(Math.log(10000) / (half - 1));
  for (let row = 0; row < rows; row++) {
    if (row === padding) continue;
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(row * Math.fround(Math.exp(Math.fround(-i * step))));
      data[row * width + i] = Math.sin(angle);
      data[row * width + half + i] = Math.cos(angle);
    }
  }
  return new Tensor("float32", [rows, width], data);
}

function build(config: ConfigReader): TextDecoder {
  const variant = {
    preNorm: false,
    embeddingNorm: config.flag("layernorm_embedding"),
    head: "output_projection",
  };
  if (config.flag("use_learned_position_embeddings")) return buildBartDecoder(config, variant);
  const padding = config.whole("pad_token_id", 0);
  const rows = config.whole("max_position_embeddings") + padding + 1;
  config.table(["max_position_embeddings", "d_model", "pad_token_id"], rows * config.whole("d_model"));
  const decoder = buildBartDecoder(config, {
    ...variant,
    positions: (scope, inputs) => {
      const table = scope.builder.constant(sinusoidalTable(rows, config.whole("d_model"), padding));
      return unpaddedPositions(table, inputs, padding);
    },
  });
  return { ...decoder, uncountedToken: padding };
}

/** TrOCR. */
export const trocr: Family<TextDecoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "trocr",
    vocab_size: 50265,
    d_model: 1024,
    decoder_layers: 12,
    decoder_attention_heads: 16,
    decoder_ffn_dim: 4096,
    activation_function: "gelu",
    max_position_embeddings: 512,
    dropout: 0.1,
    attention_dropout: 0.0,
    activation_dropout: 0.0,
    decoder_start_token_id: 2,
    init_std: 0.02,
    decoder_layerdrop: 0.0,
    use_cache: true,
    scale_embedding: false,
    use_learned_position_embeddings: true,
    layernorm_embedding: true,
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
    cross_attention_hidden_size: null,
    is_decoder: false,
    tie_word_embeddings: true,
  },
  basePrefix: "model",
  aliases: {
    num_attention_heads: "decoder_attention_heads",
    hidden_size: "d_model",
    num_hidden_layers: "decoder_layers",
  },
  build,
  initial: initialBart,
};
