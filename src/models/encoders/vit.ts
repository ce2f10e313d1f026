// The Vision Transformer (Dosovitskiy et al. 2020), as transformers.ViTModel: patches, a class token, pre-norm layers.
import { add } from "../../operators/mod.ts";
import type { ConfigReader, Fields } from "../config/config_reader.ts";
import type { Family, Renaming, VisionEncoder } from "../family.ts";
import {
  checkImageSize,
  embedPatches,
  learnedPositions,
  patchPlaces,
  pictureSize,
  readPatches,
  stretchedPositions,
} from "./patches.ts";
import { prependTokens, readVisionLayers, visionDefaults, visionLayer } from "./vision_layers.ts";

/** A ViT whose patches follow the given special tokens. */
export function buildVit(config: ConfigReader, special: readonly string[]): VisionEncoder {
  const sizes = readVisionLayers(config);
  const patches = readPatches(config);
  const qkvBias = config.flag("qkv_bias");
  const outputs = config.whole("pooler_output_size");
  const { hiddenSize, layers, epsilon, dropout } = sizes;
  return {
    hiddenSize,
    channels: patches.channels,
    imageSize: patches.imageSize,
    encode(scope, pixelValues, { interpolate = false } = {}) {
      if (!interpolate) checkImageSize(pixelValues, patches);
      const embeddings = scope.at("embeddings");
      const { tokens, grid } = embedPatches(embeddings, pixelValues, patches, hiddenSize);
      const learned = { grid: patches.grid, special: special.length, width: hiddenSize };
      const positions = interpolate
        ? stretchedPositions(embeddings, learned, pictureSize(pixelValues), grid)
        : learnedPositions(embeddings, learned);
      const placed = add(prependTokens(embeddings, special, tokens), positions);
      let x = embeddings.dropout("dropout", placed, dropout.embeddings);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        const bias = { queryValue: qkvBias, key: qkvBias };
        hiddenStates.push(x = visionLayer(scope.at(`encoder.layer.${n}`), x, sizes, { n, bias }));
      }
      return { lastHiddenState: scope.layerNorm("layernorm", x, epsilon), hiddenStates };
    },
    places: (size) => patchPlaces(size, patches, special.length),
    declareUnused(scope) {
      scope.parameter("pooler.dense.weight", [outputs, hiddenSize]);
      scope.parameter("pooler.dense.bias", [outputs]);
    },
  };
}

/** The defaults that ViT and DeiT share. */
export const vitDefaults = {
  ...visionDefaults,
  qkv_bias: true,
  encoder_stride: 16,
  pooler_output_size: null,
  pooler_act: "tanh",
};

/** The names of a layer in Transformers 5's memory, of ViT, DeiT and BEiT. */
export const vitInMemory: readonly Renaming[] = [
  [/^encoder\.layer\./, "layers."],
  [/\.attention\.attention\.query\./, ".attention.q_proj."],
  [/\.attention\.attention\.key\./, ".attention.k_proj."],
  [/\.attention\.attention\.value\./, ".attention.v_proj."],
  [/\.attention\.output\.dense\./, ".attention.o_proj."],
  [/\.intermediate\.dense\./, ".mlp.fc1."],
  [/\.output\.dense\./, ".mlp.fc2."],
];

/** What follows from other fields of ViT and DeiT. */
export const deriveVit = ({ hidden_size }: Fields): Record<string, unknown> => ({ pooler_output_size: hidden_size });

/** ViT. */
export const vit: Family<VisionEncoder> = {
  defaults: { ...vitDefaults, model_type: "vit" },
  basePrefix: "vit",
  inMemory: vitInMemory,
  derive: deriveVit,
  build: (config) => buildVit(config, ["cls_token"]),
  initial: (name, config) =>
    /^embeddings\.(cls_token|position_embeddings)$/.test(name)
      ? { kind: "truncatedNormal", deviation: config.number("initializer_range") }
      : undefined,
};
