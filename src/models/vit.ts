// The Vision Transformer (Dosovitskiy et al. 2020), as transformers.ViTModel: patches, a class token, pre-norm layers.
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/mod.ts";
import { add, attention, concat, conv2d, expand, reshape, transposeLast } from "../operators/mod.ts";
import { activationNames, joinHeads, splitHeads } from "./heads.ts";
import type { ConfigReader } from "./config.ts";
import type { Family, VisionEncoder } from "./family.ts";
import type { Scope } from "./scope.ts";

function build(config: ConfigReader): VisionEncoder {
  const hiddenSize = config.whole("hidden_size");
  const heads = config.whole("num_attention_heads");
  const channels = config.whole("num_channels");
  const imageSize = config.pair("image_size");
  const patch = config.pair("patch_size");
  const layers = config.whole("num_hidden_layers");
  const intermediate = config.whole("intermediate_size");
  const activation = config.choice("hidden_act", activationNames);
  const epsilon = config.number("layer_norm_eps");
  const bias = config.flag("qkv_bias");
  config.headWidth(hiddenSize, heads, "num_attention_heads");

  /** [batch, C, height, width] to [batch, 1 + patches, hidden]. */
  function embed(scope: Scope, pixelValues: Value): Value {
    const [batch, , height, width] = pixelValues.shape;
    if (height !== imageSize[0] || width !== imageSize[1]) {
      throw new ShapeError(
        `Cannot encode pictures of ${height} × ${width}: the encoder was made for ${imageSize.join(" × ")}`,
        { op: "encode", shapes: [pixelValues.shape] },
      );
    }
    const projection = scope.at("patch_embeddings.projection");
    const grid = conv2d(pixelValues, projection.parameter("weight", [hiddenSize, channels, ...patch]), {
      bias: projection.parameter("bias", [hiddenSize]),
      strides: patch,
    });
    const count = (grid.shape[2] as number) * (grid.shape[3] as number);
    const patches = transposeLast(reshape(grid, { shape: [batch, hiddenSize, count] }));
    const token = expand(scope.parameter("cls_token", [1, 1, hiddenSize]), { shape: [batch, 1, hiddenSize] });
    const positions = scope.parameter("position_embeddings", [1, count + 1, hiddenSize]);
    return add(concat([token, patches], { axis: 1 }), positions);
  }

  function selfAttention(scope: Scope, x: Value): Value {
    const project = (name: string) => splitHeads(scope.linear(`attention.${name}`, x, hiddenSize, { bias }), heads);
    const context = attention(project("query"), project("key"), project("value"));
    return scope.linear("output.dense", joinHeads(context), hiddenSize);
  }

  function layer(scope: Scope, x: Value): Value {
    const attended = add(x, selfAttention(scope.at("attention"), scope.layerNorm("layernorm_before", x, epsilon)));
    const normal = scope.layerNorm("layernorm_after", attended, epsilon);
    const inner = scope.linear("intermediate.dense", normal, intermediate, { activation });
    return add(attended, scope.linear("output.dense", inner, hiddenSize));
  }

  return {
    hiddenSize,
    channels,
    imageSize,
    encode(scope, pixelValues) {
      let x = embed(scope.at("embeddings"), pixelValues);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) hiddenStates.push(x = layer(scope.at(`encoder.layer.${n}`), x));
      return { lastHiddenState: scope.layerNorm("layernorm", x, epsilon), hiddenStates };
    },
  };
}

/** ViT. */
export const vit: Family<VisionEncoder> = {
  defaults: {
    model_type: "vit",
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_act: "gelu",
    hidden_dropout_prob: 0.0,
    attention_probs_dropout_prob: 0.0,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    image_size: 224,
    patch_size: 16,
    num_channels: 3,
    qkv_bias: true,
    encoder_stride: 16,
    pooler_output_size: 768,
    pooler_act: "tanh",
  },
  build,
};
