// The vision encoders of CLIP (Radford et al. 2021), as transformers.CLIPVisionModel, and of SigLIP (Zhai et al. 2023), as
// transformers.SiglipVisionModel: a ViT by other names. CLIP's has a class token and normalises before the first layer,
// SigLIP's has none and normalises after the last; what each makes of one picture as a whole is not read.
import { add, concat, expand, reshape } from "../../operators/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import type { Family, Renaming, VisionEncoder } from "../family.ts";
import { type Initial, lecunNormal, xavierUniform, zeros } from "../parameters/initial_values.ts";
import {
  checkImageSize,
  checkPatchCount,
  embedPatches,
  learnedPositions,
  patchPlaces,
  pictureSize,
  readPatches,
  stretchedPositions,
} from "./patches.ts";
import type { Scope } from "../scope.ts";
import { readVisionLayers, visionLayer, type VisionLayerNames } from "./vision_layers.ts";

const names: VisionLayerNames = {
  attentionNorm: "layer_norm1",
  query: "self_attn.q_proj",
  key: "self_attn.k_proj",
  value: "self_attn.v_proj",
  attended: "self_attn.out_proj",
  feedForwardNorm: "layer_norm2",
  inner: "mlp.fc1",
  outer: "mlp.fc2",
};

/** The class token before the patches' [batch, S, C]. */
function prependClass(scope: Scope, patches: Value): Value {
  const [batch, , width] = patches.shape;
  const token = reshape(scope.parameter("class_embedding", [width as number]), { shape: [1, 1, width] });
  return concat([expand(token, { shape: [batch, 1, width] }), patches], { axis: 1 });
}

function build(config: ConfigReader, { siglip }: { siglip: boolean }): VisionEncoder {
  const attention = config.probability("attention_dropout");
  const sizes = readVisionLayers(config, { dropout: { embeddings: 0, attention, parts: 0, paths: () => 0 } });
  const patches = readPatches(config);
  const { hiddenSize, intermediate, layers, epsilon } = sizes;
  const special = siglip ? 0 : 1;
  const learned = { grid: patches.grid, special, width: hiddenSize, embedding: "position_embedding" };

  function embed(scope: Scope, pixelValues: Value, interpolate: boolean): Value {
    const { tokens, grid } = embedPatches(scope, pixelValues, patches, hiddenSize, {
      name: "patch_embedding",
      bias: siglip,
    });
    if (!interpolate) {
      if (siglip) checkPatchCount(pixelValues, grid, patches);
      else checkImageSize(pixelValues, patches);
    }
    const positions = interpolate
      ? stretchedPositions(scope, learned, pictureSize(pixelValues), grid)
      : learnedPositions(scope, learned);
    return add(siglip ? tokens : prependClass(scope, tokens), positions);
  }

  return {
    hiddenSize,
    channels: patches.channels,
    imageSize: patches.imageSize,
    encode(scope, pixelValues, { interpolate = false } = {}) {
      let x = embed(scope.at("embeddings"), pixelValues, interpolate);
      if (!siglip) x = scope.layerNorm("pre_layrnorm", x, epsilon);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        const bias = { queryValue: true, key: true };
        hiddenStates.push(x = visionLayer(scope.at(`encoder.layers.${n}`), x, sizes, { n, names, bias }));
      }
      return { lastHiddenState: siglip ? scope.layerNorm("post_layernorm", x, epsilon) : x, hiddenStates };
    },
    places: (size) => patchPlaces(size, patches, special),
    declareUnused(scope) {
      const declare = (shapes: Readonly<Record<string, readonly number[]>>) => {
        for (const [name, shape] of Object.entries(shapes)) scope.parameter(name, shape);
      };
      if (!siglip) declare({ "post_layernorm.weight": [hiddenSize], "post_layernorm.bias": [hiddenSize] });
      else if (config.flag("vision_use_head")) declare(poolingHead(hiddenSize, intermediate));
    },
  };
}

/** The parameters of the attention with which SigLIP makes one state of all. */
function poolingHead(width: number, intermediate: number): Record<string, readonly number[]> {
  return {
    "head.probe": [1, 1, width],
    "head.attention.in_proj_weight": [3 * width, width],
    "head.attention.in_proj_bias": [3 * width],
    "head.attention.out_proj.weight": [width, width],
    "head.attention.out_proj.bias": [width],
    "head.layernorm.weight": [width],
    "head.layernorm.bias": [width],
    "head.mlp.fc1.weight": [intermediate, width],
    "head.mlp.fc1.bias": [intermediate],
    "head.mlp.fc2.weight": [width, intermediate],
    "head.mlp.fc2.bias": [width],
  };
}

/** Transformers 4 kept all of either below this name. */
const inVersion4: readonly Renaming[] = [[/^/, "vision_model."]];

function initialClip(name: string, config: ConfigReader): Initial | undefined {
  const factor = config.number("initializer_factor");
  const width = config.whole("hidden_size");
  const normal = (deviation: number): Initial => ({ kind: "normal", deviation: factor * deviation });
  if (name === "embeddings.class_embedding") return normal(width ** -0.5);
  if (name.startsWith("embeddings.")) return normal(config.number("initializer_range"));
  if (name.endsWith(".out_proj.weight")) return normal(width ** -0.5);
  if (name.endsWith(".fc1.weight")) return normal((2 * width) ** -0.5);
  if (/\.(q_proj|k_proj|v_proj|fc2)\.weight$/.test(name)) {
    return normal((2 * config.whole("num_hidden_layers") * width) ** -0.5);
  }
}

/** CLIP's vision encoder. */
export const clipVision: Family<VisionEncoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "clip_vision_model",
    hidden_size: 768,
    intermediate_size: 3072,
    projection_dim: 512,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_channels: 3,
    image_size: 224,
    patch_size: 32,
    hidden_act: "quick_gelu",
    layer_norm_eps: 1e-05,
    attention_dropout: 0.0,
    initializer_range: 0.02,
    initializer_factor: 1.0,
  },
  basePrefix: "vision_model",
  otherNames: [inVersion4],
  build: (config) => build(config, { siglip: false }),
  initial: initialClip,
};

function initialSiglip(name: string, config: ConfigReader, shape: readonly number[]): Initial | undefined {
  if (/\.fc[12]\.bias$/.test(name)) return { kind: "normal", deviation: 1e-6 };
  if (name.endsWith("in_proj_bias")) return zeros;
  if (name === "embeddings.position_embedding.weight") {
    return { kind: "normal", deviation: config.whole("hidden_size") ** -0.5 };
  }
  if (/patch_embedding\.weight$|^head\.attention\.out_proj\.weight$/.test(name)) return lecunNormal(shape);
  if (shape.length > 1) return xavierUniform(shape);
}

/** SigLIP's vision encoder. */
export const siglipVision: Family<VisionEncoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "siglip_vision_model",
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_channels: 3,
    image_size: 224,
    patch_size: 16,
    hidden_act: "gelu_pytorch_tanh",
    layer_norm_eps: 1e-06,
    attention_dropout: 0.0,
    vision_use_head: true,
  },
  basePrefix: "vision_model",
  otherNames: [inVersion4],
  build: (config) => build(config, { siglip: true }),
  initial: initialSiglip,
};
