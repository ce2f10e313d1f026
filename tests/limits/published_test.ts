// No limit refuses what has been published: the largest sizes of each family, and the processors.
import { assert, assertEquals } from "@std/assert";
import { defaultConfig, VisionEncoderDecoderConfig } from "../../mod.ts";
import { generationBytes, resolveGeneration } from "../../src/generation/mod.ts";
import { createImageProcessor } from "../../src/image/mod.ts";
import { processorTypes } from "../../src/image/processor/processor_config.ts";
import { defaultLimits } from "../../src/limits/mod.ts";
import { architectureOf, decoders, encoders, ModelParameters } from "../../src/models/mod.ts";
import { publishedModels } from "./published_models.ts";

type Fields = Record<string, unknown>;

const layers = (hidden_size: number, num_hidden_layers: number, num_attention_heads: number, more: Fields = {}) => ({
  ...{ hidden_size, num_hidden_layers, num_attention_heads, intermediate_size: 4 * hidden_size },
  ...more,
});
const bart = { d_model: 1024, decoder_layers: 12, decoder_attention_heads: 16, decoder_ffn_dim: 4096 };

/** The largest published sizes of each family. */
const largest: Readonly<Record<string, Fields>> = {
  vit: layers(1280, 32, 16, { patch_size: 14 }), // google/vit-huge-patch14-224-in21k
  deit: layers(768, 12, 12, { image_size: 384 }), // facebook/deit-base-distilled-patch16-384
  beit: layers(1024, 24, 16, { image_size: 640, use_relative_position_bias: true }), // …-finetuned-ade-640-640
  "data2vec-vision": layers(1024, 24, 16, { use_relative_position_bias: true }), // facebook/data2vec-vision-large
  dinov2: { ...layers(1536, 40, 24), image_size: 518, use_swiglu_ffn: true }, // facebook/dinov2-giant
  clip_vision_model: layers(1664, 48, 16, { intermediate_size: 8192, patch_size: 14 }), // …CLIP-ViT-bigG-14
  siglip_vision_model: layers(1152, 27, 16, { intermediate_size: 4304, image_size: 896, patch_size: 14 }), // so400m
  swin: { embed_dim: 192, depths: [2, 2, 18, 2], num_heads: [6, 12, 24, 48], image_size: 384, window_size: 12 },
  swinv2: { embed_dim: 192, depths: [2, 2, 18, 2], num_heads: [6, 12, 24, 48], image_size: 384, window_size: 24 },
  "donut-swin": {
    ...{ embed_dim: 128, depths: [2, 2, 14, 2], num_heads: [4, 8, 16, 32], image_size: [2560, 1920] },
    window_size: 10,
  },
  gpt2: { n_embd: 1600, n_layer: 48, n_head: 25 }, // gpt2-xl
  bert: layers(1024, 24, 16),
  roberta: layers(1024, 24, 16, { vocab_size: 50265 }),
  "xlm-roberta": layers(1024, 24, 16, { vocab_size: 250002 }),
  camembert: layers(1024, 24, 16, { vocab_size: 32005 }),
  "roberta-prelayernorm": layers(1024, 24, 16), // andreasmadsen/efficient_mlm_m0.40
  electra: layers(1024, 24, 16, { embedding_size: 1024 }),
  "bert-generation": layers(1024, 24, 16),
  distilbert: { vocab_size: 119547 }, // distilbert-base-multilingual-cased
  bart: { ...bart, vocab_size: 50265 },
  mbart: { ...bart, vocab_size: 250054 }, // facebook/mbart-large-50
  trocr: {},
};

/** Make a model's parameters, unfilled, and ask for a generation with as many beams as are published. */
function ask(config: VisionEncoderDecoderConfig): void {
  const architecture = architectureOf(config);
  const { encoder, decoder } = architecture;
  const parameters = ModelParameters.gather(config, architecture, () => undefined, { fresh: "all" });
  assert(parameters.newlyInitialized.length > 50);
  const asked = { ...{ decoder_start_token_id: 0, eos_token_id: 1, pad_token_id: 1 }, num_beams: 10, max_length: 512 };
  const resolved = resolveGeneration(asked, {}, {
    ...{ batch: 1, vocabularySize: decoder.vocabularySize, maxPositions: decoder.maxPositions, prependsStart: true },
    bytesOf: (rows, positions) => generationBytes(architecture, { batch: 1, size: encoder.imageSize, rows, positions }),
  });
  assert(resolved.maxLength > 1);
}

function join(encoder: string, decoder: string, sizes: Readonly<Record<string, Fields>>) {
  const [seeing, writing] = [encoder, decoder].map((type) => defaultConfig(type, sizes[type]));
  return VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(seeing, writing);
}

Deno.test("the largest published sizes of every family are refused by no limit", () => {
  assertEquals(Object.keys(largest).sort(), [...Object.keys(encoders), ...Object.keys(decoders)].sort());
  for (const encoder of Object.keys(encoders)) ask(join(encoder, "gpt2", largest));
  for (const decoder of Object.keys(decoders)) ask(join("clip_vision_model", decoder, largest));
  for (const [type, fields] of Object.entries(largest)) {
    const depth = [fields.num_hidden_layers, fields.n_layer, fields.decoder_layers].flat().find(Number.isInteger) ?? 0;
    assert(20 * (depth as number) <= defaultLimits.maxLayers, type); // far below
  }
});

Deno.test("every processor's defaults, and those of published models, are refused by no limit", () => {
  for (const type of processorTypes) assertEquals(createImageProcessor(type).settings.type, type);
  for (const { processor } of Object.values(publishedModels)) {
    const type = processorTypes.find((type) => type === processor.image_processor_type);
    assert(type);
    createImageProcessor(type, processor);
  }
});
