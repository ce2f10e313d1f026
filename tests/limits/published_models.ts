// The shapes of published models, by their names on the Hub: what no limit may refuse.
import { defaultConfig, VisionEncoderDecoderConfig } from "../../mod.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A published model. */
export interface Published {
  readonly config: VisionEncoderDecoderConfig;
  /** Its preprocessor_config.json. */
  readonly processor: Fields;
  /** What its generation settings say. */
  readonly generation: Fields;
}

function published(
  encoder: [string, Fields],
  decoder: [string, Fields],
  processor: Fields,
  generation: Fields,
): Published {
  const [seeing, writing] = [encoder, decoder].map(([type, fields]) => defaultConfig(type, fields));
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(seeing, writing, { decoder_start_token_id: 2 });
  return {
    config,
    processor,
    generation: { decoder_start_token_id: 2, eos_token_id: 2, pad_token_id: 1, ...generation },
  };
}

const vit384 = { image_size: 384, qkv_bias: false };
const wide = { hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096 };
const square = (side: number) => ({ image_processor_type: "ViTImageProcessor", size: { height: side, width: side } });
const donutSwin = { embed_dim: 128, num_heads: [4, 8, 16, 32], depths: [2, 2, 14, 2] };
const mbart = { d_model: 1024, decoder_ffn_dim: 4096, decoder_attention_heads: 16, scale_embedding: true };

/** Published models by name. */
export const publishedModels: Readonly<Record<string, Published>> = {
  "nlpconnect/vit-gpt2-image-captioning": published(["vit", {}], ["gpt2", {}], square(224), {
    num_beams: 4,
    max_length: 16,
  }),
  "microsoft/trocr-small-printed": published(
    ["deit", { image_size: 384, hidden_size: 384, num_attention_heads: 6, intermediate_size: 1536 }],
    ["trocr", {
      ...{ d_model: 256, decoder_layers: 6, decoder_attention_heads: 8, decoder_ffn_dim: 1024, vocab_size: 64044 },
      ...{ use_learned_position_embeddings: false, max_position_embeddings: 512 },
    }],
    square(384),
    { num_beams: 10, max_length: 512 },
  ),
  "microsoft/trocr-base-handwritten": published(["vit", vit384], ["trocr", {}], square(384), { num_beams: 10 }),
  "microsoft/trocr-large-printed": published(["vit", { ...vit384, ...wide }], ["trocr", {}], square(384), {
    num_beams: 10,
  }),
  "microsoft/beit-large-patch16-512": published(
    ["beit", { ...wide, image_size: 512, use_relative_position_bias: true }],
    ["roberta", { num_hidden_layers: 24, hidden_size: 1024, num_attention_heads: 16, intermediate_size: 4096 }],
    square(512),
    { num_beams: 5 },
  ),
  "naver-clova-ix/donut-base": published(
    ["donut-swin", { ...donutSwin, image_size: [2560, 1920], window_size: 10 }],
    ["mbart", { ...mbart, decoder_layers: 4, vocab_size: 57580, max_position_embeddings: 1536 }],
    { image_processor_type: "DonutImageProcessor", size: [1920, 2560] },
    { max_length: 1536 },
  ),
  "facebook/nougat-base": published(
    ["donut-swin", { ...donutSwin, image_size: [896, 672], window_size: 7 }],
    ["mbart", { ...mbart, decoder_layers: 10, vocab_size: 50000, max_position_embeddings: 4096 }],
    { image_processor_type: "NougatImageProcessor" },
    { max_length: 4096 },
  ),
  "kha-white/manga-ocr-base": published(
    ["vit", {}],
    ["bert", { num_hidden_layers: 2, vocab_size: 6144 }],
    square(224),
    { num_beams: 4, max_length: 300, no_repeat_ngram_size: 3 },
  ),
};
