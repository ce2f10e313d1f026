// The pre-norm layers that ViT, DeiT and BEiT share, with the names of their files.
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

/** Read the sizes of the layers. @throws {ConfigError} If they cannot work. */
export function readVisionLayers(config: ConfigReader): VisionLayers {
  const hiddenSize = config.whole("hidden_size");
  const heads = config.whole("num_attention_heads");
  config.headWidth(hiddenSize, heads, "num_attention_heads");
  return {
    hiddenSize,
    heads,
    layers: config.layers("num_hidden_layers", 0),
    intermediate: config.whole("intermediate_size"),
    activation: config.choice("hidden_act", activationNames),
    epsilon: config.number("layer_norm_eps"),
  };
}

/** What a layer has beyond ViT's. */
export interface VisionLayerOptions {
  /** Whether query and value have a bias, and the key. */
  readonly bias: { readonly queryValue: boolean; readonly key: boolean };
  /** Added to the products of queries and keys, [1, H, S, S]. */
  readonly mask?: Value;
  /** Whether `lambda_1` and `lambda_2` scale what is added to the states. @default false */
  readonly layerScale?: boolean;
}

/** Write one layer: states [batch, S, C] to states. */
export function visionLayer(scope: Scope, x: Value, sizes: VisionLayers, options: VisionLayerOptions): Value {
  const { hiddenSize, heads, intermediate, activation, epsilon } = sizes;
  const { bias, mask, layerScale } = options;
  const scaled = (name: string, y: Value) => layerScale ? mul(y, scope.parameter(name, [hiddenSize])) : y;
  const own = scope.at("attention");
  const normal = scope.layerNorm("layernorm_before", x, epsilon);
  const project = (name: string, bias: boolean) =>
    splitHeads(own.linear(`attention.${name}`, normal, hiddenSize, { bias }), heads);
  const context = attention(
    project("query", bias.queryValue),
    project("key", bias.key),
    project("value", bias.queryValue),
    mask ? { mask } : {},
  );
  const attended = add(x, scaled("lambda_1", own.linear("output.dense", joinHeads(context), hiddenSize)));
  const inner = scope.linear(
    "intermediate.dense",
    scope.layerNorm("layernorm_after", attended, epsilon),
    intermediate,
    { activation },
  );
  return add(attended, scaled("lambda_2", scope.linear("output.dense", inner, hiddenSize)));
}

/** Put learned tokens before the patches' [batch, S, C]. */
export function prependTokens(scope: Scope, names: readonly string[], patches: Value): Value {
  const [batch, , width] = patches.shape;
  const tokens = names.map((name) =>
    expand(scope.parameter(name, [1, 1, width as number]), { shape: [batch, 1, width] })
  );
  return concat([...tokens, patches], { axis: 1 });
}
