// DINOv2 (Oquab et al. 2023), as transformers.Dinov2Model: a ViT with layer scale, and in the largest one a gated
// feed-forward part (Shazeer 2020, SwiGLU).
import type { Value } from "../../graph/mod.ts";
import { add, mul, silu, split } from "../../operators/mod.ts";
import { commonDefaults, type ConfigReader, deriveStages } from "../config/config_reader.ts";
import type { Family, VisionEncoder } from "../family.ts";
import { type Initial, zeros } from "../parameters/initial_values.ts";
import { embedPatches, patchPlaces, pictureSize, readPatches, stretchedPositions } from "./patches.ts";
import type { Scope } from "../scope.ts";
import { prependTokens, readVisionDropout, readVisionLayers, visionLayer, vitLayerNames } from "./vision_layers.ts";

const names = {
  ...vitLayerNames,
  attentionNorm: "norm1",
  feedForwardNorm: "norm2",
  inner: "mlp.fc1",
  outer: "mlp.fc2",
  scales: ["layer_scale1.lambda1", "layer_scale2.lambda1"],
} as const;

function build(config: ConfigReader): VisionEncoder {
  const widened = Math.trunc(config.whole("hidden_size") * config.number("mlp_ratio"));
  const rate = config.probability("drop_path_rate");
  // The parts of a layer are dropped as a whole only, and in the first layer as in the last.
  const dropout = { ...readVisionDropout(config), parts: 0, paths: () => rate };
  const sizes = readVisionLayers(config, { intermediate: widened, dropout });
  const patches = readPatches(config);
  const qkvBias = config.flag("qkv_bias");
  const { hiddenSize, layers, epsilon } = sizes;
  const learned = { grid: patches.grid, special: 1, width: hiddenSize };

  /** A gate and what passes it, of two thirds of the width, rounded up to a multiple of 8. */
  function gated(scope: Scope, x: Value): Value {
    const width = Math.ceil(Math.trunc(widened * 2 / 3) / 8) * 8;
    const [gate, passing] = split(scope.linear("mlp.weights_in", x, 2 * width), { splits: [width, width], axis: -1 });
    return scope.linear("mlp.weights_out", mul(silu(gate), passing), hiddenSize);
  }

  const options = {
    names,
    bias: { queryValue: qkvBias, key: qkvBias },
    ...(config.flag("use_swiglu_ffn") && { feedForward: gated }),
  };
  return {
    hiddenSize,
    channels: patches.channels,
    imageSize: patches.imageSize,
    // Pictures of any size are taken, with or without `interpolate`, as the reference does.
    encode(scope, pixelValues) {
      const embeddings = scope.at("embeddings");
      const { tokens, grid } = embedPatches(embeddings, pixelValues, patches, hiddenSize);
      const positions = stretchedPositions(embeddings, learned, pictureSize(pixelValues), grid);
      const placed = add(prependTokens(embeddings, ["cls_token"], tokens), positions);
      let x = embeddings.dropout("dropout", placed, dropout.embeddings);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        hiddenStates.push(x = visionLayer(scope.at(`encoder.layer.${n}`), x, sizes, { n, ...options }));
      }
      return { lastHiddenState: scope.layerNorm("layernorm", x, epsilon), hiddenStates };
    },
    places: (size) => patchPlaces(size, patches, 1),
    declareUnused(scope) {
      if (config.flag("use_mask_token")) scope.parameter("embeddings.mask_token", [1, hiddenSize]);
    },
  };
}

function initial(name: string, config: ConfigReader): Initial | undefined {
  if (name === "embeddings.mask_token") return zeros;
  if (name.endsWith(".lambda1")) return { kind: "constant", value: config.number("layerscale_value") };
  return /^embeddings\.(cls_token|position_embeddings)$|(?<!norm\d?)\.weight$/.test(name)
    ? { kind: "truncatedNormal", deviation: config.number("initializer_range") }
    : undefined;
}

/** DINOv2. */
export const dinov2: Family<VisionEncoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "dinov2",
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    mlp_ratio: 4,
    hidden_act: "gelu",
    hidden_dropout_prob: 0.0,
    attention_probs_dropout_prob: 0.0,
    initializer_range: 0.02,
    layer_norm_eps: 1e-06,
    image_size: 224,
    patch_size: 14,
    num_channels: 3,
    qkv_bias: true,
    layerscale_value: 1.0,
    drop_path_rate: 0.0,
    use_swiglu_ffn: false,
    apply_layernorm: true,
    reshape_hidden_states: true,
    use_mask_token: true,
  },
  basePrefix: "dinov2",
  wholeNumbers: ["mlp_ratio"],
  inMemory: [
    [/\.attention\.attention\.query\./, ".attention.q_proj."],
    [/\.attention\.attention\.key\./, ".attention.k_proj."],
    [/\.attention\.attention\.value\./, ".attention.v_proj."],
    [/\.attention\.output\.dense\./, ".attention.o_proj."],
    [/\.mlp\.weights_in\./, [".mlp.gate_proj.", ".mlp.up_proj."]],
    [/\.mlp\.weights_out\./, ".mlp.down_proj."],
  ],
  build,
  derive: ({ num_hidden_layers }, given) =>
    typeof num_hidden_layers === "number" ? deriveStages(given, num_hidden_layers) : {},
  initial,
};
