// Small models of every encoder with every decoder, of sizes that no golden has, with all parameters random. Head widths
// are 7 and 64: attention kernels take the one and not the other.
import { defaultConfig, type Tensor, VisionEncoderDecoderConfig } from "../../mod.ts";
import { architectureOf, declaredParameters } from "../../src/models/mod.ts";
import { fill } from "../../src/models/parameters/initial_values.ts";

const vit = {
  hidden_size: 30,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  intermediate_size: 44,
  image_size: 24,
  patch_size: 6,
  layer_norm_eps: 1e-6,
};
const swin = { image_size: [28, 20], patch_size: 4, embed_dim: 12, depths: [2, 1], num_heads: [2, 3], window_size: 3 };

/** Encoders of each family, by model_type. */
export const encoderConfigs: Readonly<Record<string, Record<string, unknown>>> = {
  vit: { ...vit, image_size: [24, 18], qkv_bias: false, hidden_act: "gelu_new" },
  deit: { ...vit, patch_size: [6, 8] },
  beit: {
    ...vit,
    use_relative_position_bias: true,
    use_shared_relative_position_bias: true,
    use_absolute_position_embeddings: true,
    use_mask_token: true,
    use_mean_pooling: false,
  },
  "data2vec-vision": {
    ...vit,
    image_size: [24, 18],
    use_shared_relative_position_bias: true,
    layer_scale_init_value: 0.5,
  },
  dinov2: { ...vit, intermediate_size: undefined, mlp_ratio: 2, use_swiglu_ffn: true, layerscale_value: 0.5 },
  clip_vision_model: { ...vit, image_size: 25 },
  siglip_vision_model: vit,
  swin: { ...swin, use_absolute_embeddings: true, mlp_ratio: 1.5 },
  swinv2: { ...swin, depths: [2, 2], pretrained_window_sizes: [4, 0], mlp_ratio: 1.5 },
  "donut-swin": { ...swin, depths: [1, 2, 1], num_heads: [1, 2, 4], qkv_bias: false, image_size: [50, 60] },
};

/** The sizes of decoders whose heads have a width. */
export function decoderConfigs(headWidth: number): Readonly<Record<string, Record<string, unknown>>> {
  const hidden_size = 2 * headWidth;
  const bert = {
    hidden_size,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 40,
    vocab_size: 90,
    max_position_embeddings: 30,
  };
  const bart = {
    d_model: hidden_size,
    decoder_layers: 2,
    decoder_attention_heads: 2,
    decoder_ffn_dim: 40,
    encoder_layers: 2, // Python sizes its cache by them
    encoder_ffn_dim: 8,
    vocab_size: 90,
    max_position_embeddings: 30,
  };
  return {
    gpt2: {
      n_embd: hidden_size,
      n_layer: 2,
      n_head: 2,
      n_positions: 30,
      vocab_size: 90,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    bert,
    roberta: { ...bert, hidden_act: "silu", tie_word_embeddings: false },
    "xlm-roberta": { ...bert, type_vocab_size: 1 },
    camembert: { ...bert, hidden_act: "relu", tie_word_embeddings: false },
    "roberta-prelayernorm": { ...bert, layer_norm_eps: 1e-5, tie_word_embeddings: headWidth === 64 },
    electra: { ...bert, embedding_size: headWidth === 64 ? 24 : hidden_size, tie_word_embeddings: headWidth === 64 },
    "bert-generation": { ...bert, hidden_act: "gelu_new" },
    distilbert: {
      dim: hidden_size,
      n_layers: 2,
      n_heads: 2,
      hidden_dim: 40,
      vocab_size: 90,
      max_position_embeddings: 30,
    },
    bart: { ...bart, scale_embedding: true, tie_word_embeddings: false },
    mbart: { ...bart, activation_function: "relu" },
    trocr: { ...bart, layernorm_embedding: headWidth === 64, scale_embedding: true, activation_function: "gelu_new" },
  };
}

/** The configuration of one model. */
export function familyConfig(encoder: string, decoder: string, headWidth: number): VisionEncoderDecoderConfig {
  return VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig(encoder, encoderConfigs[encoder]),
    defaultConfig(decoder, decoderConfigs(headWidth)[decoder]),
    { pad_token_id: 1, decoder_start_token_id: 2, tie_word_embeddings: false },
  );
}

/** Random values for every parameter of a configuration, those that initialisation would leave constant too. */
export function* familyParameters(config: VisionEncoderDecoderConfig): Iterable<[name: string, value: Tensor]> {
  for (const [name, { shape }] of declaredParameters(architectureOf(config))) {
    const norm = /(norm\d?|ln_\w+)\.weight$/i.test(name) && shape.length === 1;
    const width = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b) : 1;
    const deviation = /embed|wte|wpe|token/.test(name) ? 0.5 : shape.length > 1 ? 1.2 / Math.sqrt(width) : 0.2;
    const value = fill({ kind: "normal", deviation }, name, shape, 1);
    if (norm) (value.data as Float32Array).forEach((x, i, data) => data[i] = 1 + x);
    yield [name, value];
  }
}

/** Pictures [2, channels, height, width] and ids [2, 6] for a configuration; the second row ends with pads. */
export function familyInputs(config: VisionEncoderDecoderConfig): { pixelValues: Tensor; decoderInputIds: number[][] } {
  const { imageSize: [height, width] } = architectureOf(config).encoder;
  const pixelValues = fill({ kind: "normal", deviation: 1 }, "pixels", [2, 3, height, width], 1);
  return { pixelValues, decoderInputIds: [[2, 5, 77, 13, 40, 3], [2, 60, 8, 9, 1, 1]] };
}
