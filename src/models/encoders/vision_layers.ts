// The pre-norm layers that ViT and most encoders after it share; only names differ, and a few parts.
import type { Value } from "../../graph/mod.ts";
import { add, concat, expand, mul } from "../../operators/mod.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import { activationNames, type NamedActivation } from "../activations.ts";
import { joinHeads, splitHeads } from "../heads.ts";
import type { Scope } from "../scope.ts";

/** The defaults that ViT, DeiT, BEiT and Data2Vec share. */
export const visionDefaults = {
  ...commonDefaults,
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
};

/** The sizes of a vision encoder's layers. */
export interface VisionLayers {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: NamedActivation;
  readonly epsilon: number;
  readonly dropout: VisionDropout;
}

/** How probable it is that something is dropped in training. */
export interface VisionDropout {
  /** Of the embeddings. */
  readonly embeddings: number;
  readonly attention: number;
  /** Of what each of the two parts of a layer makes. */
  readonly parts: number;
  /** Stochastic depth, by layer: of what each of its two parts adds, for a whole sample. */
  readonly paths: (layer: number) => number;
}

/** What ViT drops. */
export function readVisionDropout(config: ConfigReader): VisionDropout {
  const hidden = config.probability("hidden_dropout_prob");
  const attention = config.probability("attention_probs_dropout_prob");
  return { embeddings: hidden, attention, parts: hidden, paths: () => 0 };
}

/** Stochastic depth that grows from none in the first of `layers` layers to `rate` in the last. */
export function risingPaths(rate: number, layers: number): VisionDropout["paths"] {
  return (layer) => rate * layer / Math.max(layers - 1, 1);
}

/**
 * Read the sizes of the layers.
 *
 * @param options.intermediate The width within a feed-forward part. @default intermediate_size
 * @param options.dropout What is dropped. @default what ViT drops
 * @throws {ConfigError} If they cannot work.
 */
export function readVisionLayers(
  config: ConfigReader,
  { intermediate, dropout = readVisionDropout(config) }: { intermediate?: number; dropout?: VisionDropout } = {},
): VisionLayers {
  const hiddenSize = config.whole("hidden_size");
  const heads = config.whole("num_attention_heads");
  config.headWidth(hiddenSize, heads, "num_attention_heads");
  return {
    hiddenSize,
    heads,
    layers: config.layers("num_hidden_layers", 0),
    intermediate: intermediate ?? config.whole("intermediate_size"),
    activation: config.choice("hidden_act", activationNames),
    epsilon: config.epsilon("layer_norm_eps"),
    dropout,
  };
}

/** The names of files, below a layer: of its attention and of its feed-forward part. */
export interface VisionLayerNames {
  readonly attentionNorm: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attended: string;
  readonly feedForwardNorm: string;
  readonly inner: string;
  readonly outer: string;
  /** What scales that which each of the two parts adds to the states. @default nothing */
  readonly scales?: readonly [attention: string, feedForward: string];
}

/** The names of ViT's layers, which DeiT and BEiT have too. */
export const vitLayerNames: VisionLayerNames = {
  attentionNorm: "layernorm_before",
  query: "attention.attention.query",
  key: "attention.attention.key",
  value: "attention.attention.value",
  attended: "attention.output.dense",
  feedForwardNorm: "layernorm_after",
  inner: "intermediate.dense",
  outer: "output.dense",
};

/** What a layer has beyond ViT's. */
export interface VisionLayerOptions {
  /** Which layer it is, from 0 on. */
  readonly n: number;
  /** @default ViT's */
  readonly names?: VisionLayerNames;
  /** Whether query and value have a bias, and the key. */
  readonly bias: { readonly queryValue: boolean; readonly key: boolean };
  /** Added to the products of queries and keys, [1, H, S, S]. */
  readonly mask?: Value;
  /** The feed-forward part. @default a layer, an activation, a layer */
  readonly feedForward?: (scope: Scope, x: Value) => Value;
}

/** Write one layer: states [batch, S, C] to states. */
export function visionLayer(scope: Scope, x: Value, sizes: VisionLayers, options: VisionLayerOptions): Value {
  const { hiddenSize, heads, intermediate, activation, epsilon, dropout } = sizes;
  const { n, names = vitLayerNames, bias, mask, feedForward = twoLayers } = options;

  function twoLayers(scope: Scope, x: Value): Value {
    return scope.linear(names.outer, scope.linear(names.inner, x, intermediate, { activation }), hiddenSize);
  }

  /** x plus what a part makes of it: that is dropped, scaled, and dropped by the sample. */
  const residual = (part: 0 | 1, x: Value, y: Value) => {
    const dropped = scope.dropout(`dropout.${part}`, y, dropout.parts);
    const scaled = names.scales ? mul(dropped, scope.parameter(names.scales[part], [hiddenSize])) : dropped;
    return add(x, scope.dropPath(`drop_path.${part}`, scaled, dropout.paths(n)));
  };
  const normal = scope.layerNorm(names.attentionNorm, x, epsilon);
  const project = (name: string, bias: boolean) => splitHeads(scope.linear(name, normal, hiddenSize, { bias }), heads);
  const compared = {
    query: project(names.query, bias.queryValue),
    key: project(names.key, bias.key),
    value: project(names.value, bias.queryValue),
  };
  const context = scope.attention("attention.dropout", compared, { ...(mask && { mask }), drop: dropout.attention });
  const attended = residual(0, x, scope.linear(names.attended, joinHeads(context), hiddenSize));
  return residual(1, attended, feedForward(scope, scope.layerNorm(names.feedForwardNorm, attended, epsilon)));
}

/** Put learned tokens before the patches' [batch, S, C]. */
export function prependTokens(scope: Scope, names: readonly string[], patches: Value): Value {
  const [batch, , width] = patches.shape;
  const tokens = names.map((name) =>
    expand(scope.parameter(name, [1, 1, width as number]), { shape: [batch, 1, width] })
  );
  return concat([...tokens, patches], { axis: 1 });
}
