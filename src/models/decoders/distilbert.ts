// DistilBERT as a decoder (Sanh et al. 2019): transformers.DistilBertForMaskedLM made causal, with BERT's cross-attention
// after its attention to itself. Transformers lists it and cannot run it.
import { Tensor } from "../../tensor/mod.ts";
import { buildBertDecoder, initialBert } from "./bert_layers.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import type { Family, TextDecoder } from "../family.ts";
import { activationNames } from "../activations.ts";
import { countedPositions } from "./token_positions.ts";

function build(config: ConfigReader): TextDecoder {
  const hiddenSize = config.whole("dim");
  const heads = config.whole("n_heads");
  config.headWidth(hiddenSize, heads, "n_heads");
  const maxPositions = config.whole("max_position_embeddings");
  return buildBertDecoder(config, {
    hiddenSize,
    heads,
    maxPositions,
    layers: config.layers("n_layers"),
    intermediate: config.whole("hidden_dim"),
    activation: config.choice("activation", activationNames),
    epsilon: 1e-12,
    positionRows: maxPositions,
    tokenTypes: 0,
    positions: countedPositions,
    dropout: {
      hidden: config.probability("dropout"),
      attention: config.probability("attention_dropout"),
      attended: 0,
    },
    names: {
      base: "distilbert",
      layers: "transformer.layer",
      query: "attention.q_lin",
      key: "attention.k_lin",
      value: "attention.v_lin",
      attended: "attention.out_lin",
      attendedNorm: "sa_layer_norm",
      crossNorm: "crossattention.output.LayerNorm",
      inner: "ffn.lin1",
      outer: "ffn.lin2",
      outerNorm: "output_layer_norm",
      transform: { dense: "vocab_transform", norm: "vocab_layer_norm" },
      headBias: "vocab_projector.bias",
      projection: "vocab_projector",
    },
  });
}

/** The positions of `sinusoidal_pos_embds`: sin and cos in turn (Vaswani et al. 2017). */
function sinusoids(rows: number, width: number): Tensor {
  const data = Float32Array.from({ length: rows * width }, (_, i) => {
    const [position, at] = [Math.floor(i / width), i % width];
    const angle = position / 10000 ** (2 * Math.floor(at / 2) / width);
    return at % 2 ? Math.cos(angle) : Math.sin(angle);
  });
  return new Tensor("float32", [rows, width], data);
}

/** DistilBERT. */
export const distilbert: Family<TextDecoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "distilbert",
    vocab_size: 30522,
    max_position_embeddings: 512,
    sinusoidal_pos_embds: false,
    n_layers: 6,
    n_heads: 12,
    dim: 768,
    hidden_dim: 3072,
    dropout: 0.1,
    attention_dropout: 0.1,
    activation: "gelu",
    initializer_range: 0.02,
    qa_dropout: 0.1,
    seq_classif_dropout: 0.2,
    pad_token_id: 0,
    eos_token_id: null,
    bos_token_id: null,
    tie_word_embeddings: true,
  },
  basePrefix: "distilbert",
  aliases: {
    hidden_size: "dim",
    num_attention_heads: "n_heads",
    num_hidden_layers: "n_layers",
  },
  build,
  initial: (name, config) =>
    name.endsWith("position_embeddings.weight") && config.flag("sinusoidal_pos_embds")
      ? { kind: "table", table: sinusoids(config.whole("max_position_embeddings"), config.whole("dim")) }
      : initialBert("word_embeddings")(name, config),
};
