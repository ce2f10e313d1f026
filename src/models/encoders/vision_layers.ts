// The pre-norm layers that ViT and most encoders after it share; only names differ, and a few parts.
import type { Value } from "../../graph/mod.ts";
import { add, attention, concat, expand, mul } from "../../operators/mod.ts";
import type { ConfigReader } from "../config/config_reader.ts";
import { activationNames, type NamedActivation } from "../activations.ts";
import { joinHeads, splitHeads } from "../heads.ts";
import type { Scope } from "../scope.ts";

/** The sizes of a vision encoder's layers. */
export interface VisionLayers {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: NamedActivation;
  readonly epsilon: number;
}

/**
 * Read the sizes of the layers.
 *
 * @param intermediate The width within a feed-forward part. @default intermediate_size
 * @throws {ConfigError} If they cannot work.
 */
export function readVisionLayers(config: ConfigReader, intermediate?: number): VisionLayers {
  const hiddenSize = config.whole("hidden_size");
  const heads = config.whole("num_attention_heads");
  config.headWidth(hiddenSize, heads, "num_attention_heads");
  return {
    hiddenSize,
    heads,
    layers: config.layers("num_hidden_layers", 0),
    intermediate: intermediate ?? config.whole("intermediate_size"),
    activation: config.choice("hidden_act", activationNames),
    epsilon: config.number("layer_norm_eps"),
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
  const { hiddenSize, heads, intermediate, activation, epsilon } = sizes;
  const { names = vitLayerNames, bias, mask, feedForward = twoLayers } = options;

  function twoLayers(scope: Scope, x: Value): Value {
    return scope.linear(names.outer, scope.linear(names.inner, x, intermediate, { activation }), hiddenSize);
  }

  const scaled = (part: 0 | 1, y: Value) =>
    names.scales ? mul(y, scope.parameter(names.scales[part], [hiddenSize])) : y;
  const normal = scope.layerNorm(names.attentionNorm, x, epsilon);
  const project = (name: string, bias: boolean) => splitHeads(scope.linear(name, normal, hiddenSize, { bias }), heads);
  const context = attention(
    project(names.query, bias.queryValue),
    project(names.key, bias.key),
    project(names.value, bias.queryValue),
    mask ? { mask } : {},
  );
  const attended = add(x, scaled(0, scope.linear(names.attended, joinHeads(context), hiddenSize)));
  return add(attended, scaled(1, feedForward(scope, scope.layerNorm(names.feedForwardNorm, attended, epsilon))));
}

/** Put learned tokens before the patches' [batch, S, C]. */
export function prependTokens(scope: Scope, names: readonly string[], patches: Value): Value {
  const [batch, , width] = patches.shape;
  const tokens = names.map((name) =>
    expand(scope.parameter(name, [1, 1, width as number]), { shape: [batch, 1, width] })
  );
  return concat([...tokens, patches], { axis: 1 });
}
