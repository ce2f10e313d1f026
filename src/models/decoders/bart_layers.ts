// The decoder that BART, mBART and TrOCR share: positions from row 2 on, attention to itself, to the picture, and a
// feed-forward part; each is post-norm (BART, TrOCR) or pre-norm (mBART).
import { ConfigError } from "../../errors/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { add, gather, mul } from "../../operators/mod.ts";
import type { ConfigReader } from "../config/config_reader.ts";
import type { DecoderInputs, TextDecoder } from "../family.ts";
import { activationNames, type NamedActivation } from "../activations.ts";
import { joinHeads, splitHeads } from "../heads.ts";
import type { Initial } from "../parameters/initial_values.ts";
import { countedPositions } from "./token_positions.ts";
import type { Scope } from "../scope.ts";

/** Learned positions begin at this row of their table. */
export const positionOffset = 2;

/** Where a decoder of this kind differs from another. */
export interface BartVariant {
  /** Whether the parts of a layer are normalised before, and the whole at the end. */
  readonly preNorm: boolean;
  /** Whether the embeddings are normalised. */
  readonly embeddingNorm: boolean;
  /** The name of the head. */
  readonly head: string;
  /** Positions of its own, [rows or 1, T, C]. @default learned ones, `embed_positions` */
  readonly positions?: (scope: Scope, inputs: DecoderInputs) => Value;
  /** The most positions it can tell apart. @default max_position_embeddings */
  readonly maxPositions?: number;
}

/** What a configuration says of such a decoder. */
interface BartSizes {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: NamedActivation;
  /** The rows of the table of learned positions. */
  readonly positionRows: number;
  /** Whether embeddings are multiplied by √C. */
  readonly scaled: boolean;
  /** How probable it is in training that embeddings, and what the parts of a layer add, are dropped. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
}

function readSizes(config: ConfigReader): BartSizes {
  const hiddenSize = config.whole("d_model");
  const heads = config.whole("decoder_attention_heads");
  config.headWidth(hiddenSize, heads, "decoder_attention_heads");
  return {
    hiddenSize,
    vocabularySize: config.whole("vocab_size"),
    layers: config.layers("decoder_layers"),
    heads,
    intermediate: config.whole("decoder_ffn_dim"),
    activation: config.choice("activation_function", activationNames),
    positionRows: config.whole("max_position_embeddings") + positionOffset,
    scaled: config.flag("scale_embedding"),
    dropout: config.probability("dropout"),
    attentionDropout: config.probability("attention_dropout"),
    activationDropout: config.probability("activation_dropout"),
  };
}

/** Build a decoder of this kind, its names below `model.decoder`. */
export function buildBartDecoder(config: ConfigReader, variant: BartVariant): TextDecoder {
  const sizes = readSizes(config);
  const { hiddenSize, vocabularySize, layers, heads } = sizes;
  const { preNorm, head } = variant;
  const maxPositions = variant.maxPositions ?? config.whole("max_position_embeddings");
  const layerDropout = config.probability("decoder_layerdrop");

  return {
    hiddenSize,
    vocabularySize,
    layers,
    heads,
    headWidth: hiddenSize / heads,
    maxPositions,
    crossKeysValues(scope, encoderStates) {
      return Array.from({ length: layers }, (_, n) => {
        const at = scope.at(`model.decoder.layers.${n}.encoder_attn`);
        const project = (name: string) => splitHeads(at.linear(name, encoderStates, hiddenSize), heads);
        return { keys: project("k_proj"), values: project("v_proj") };
      });
    },
    decode(scope, inputs) {
      if (scope.context.dropout && layerDropout > 0) throw noLayerDropout(config.path, layerDropout);
      const decoder = scope.at("model.decoder");
      let x = embed(decoder, sizes, variant, inputs);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        hiddenStates.push(x = layer(decoder.at(`layers.${n}`), sizes, variant, x, { n, inputs }));
      }
      if (preNorm) hiddenStates[layers] = x = decoder.layerNorm("layer_norm", x);
      return { lastHiddenState: x, hiddenStates };
    },
    ties: { [`${head}.weight`]: "model.decoder.embed_tokens.weight" },
    logits(scope, states) {
      return scope.linear(head, states, vocabularySize, { bias: false });
    },
  };
}

/** A layer that is left out leaves its parameters alone, which one program for all steps cannot do. */
function noLayerDropout(path: string, probability: number): ConfigError {
  return new ConfigError(
    `Cannot train the ${path}: ${path}.decoder_layerdrop is ${probability}, expected 0, since layers cannot be left out`,
    `${path}.decoder_layerdrop`,
  );
}

function learned(scope: Scope, { hiddenSize, positionRows }: BartSizes, inputs: DecoderInputs): Value {
  const table = scope.parameter("embed_positions.weight", [positionRows, hiddenSize]);
  return countedPositions(table, inputs, positionOffset);
}

/** The embeddings of tokens and positions, [rows, T, C]. */
function embed(
  scope: Scope,
  sizes: BartSizes,
  { positions, embeddingNorm }: BartVariant,
  inputs: DecoderInputs,
): Value {
  const { hiddenSize, vocabularySize, scaled, dropout } = sizes;
  let x = gather(scope.parameter("embed_tokens.weight", [vocabularySize, hiddenSize]), inputs.ids, { axis: 0 });
  if (scaled) x = mul(x, scope.builder.scalar(Math.sqrt(hiddenSize)));
  x = add(x, positions ? positions(scope, inputs) : learned(scope, sizes, inputs));
  return scope.dropout("dropout", embeddingNorm ? scope.layerNorm("layernorm_embedding", x) : x, dropout);
}

/** Layer n, [rows, T, C] to the same. */
function layer(
  scope: Scope,
  { hiddenSize, heads, intermediate, activation, dropout, attentionDropout, activationDropout }: BartSizes,
  { preNorm }: BartVariant,
  x: Value,
  { n, inputs }: { n: number; inputs: DecoderInputs },
): Value {
  /** x plus what a part makes of it, normalised before or after. */
  const residual = (norm: string, x: Value, part: (x: Value) => Value) =>
    preNorm ? add(x, part(scope.layerNorm(norm, x))) : scope.layerNorm(norm, add(x, part(x)));
  const project = (name: string, x: Value) => splitHeads(scope.linear(name, x, hiddenSize), heads);
  const output = (name: string, x: Value) =>
    scope.dropout(`${name}.dropout`, scope.linear(name, x, hiddenSize), dropout);
  x = residual("self_attn_layer_norm", x, (x) => {
    const current = { keys: project("self_attn.k_proj", x), values: project("self_attn.v_proj", x) };
    const drop = scope.attentionDropout("self_attn.dropout", attentionDropout);
    return output(
      "self_attn.out_proj",
      joinHeads(inputs.selfAttention(n, project("self_attn.q_proj", x), current, { drop })),
    );
  });
  x = residual("encoder_attn_layer_norm", x, (x) => {
    const drop = scope.attentionDropout("encoder_attn.dropout", attentionDropout);
    return output(
      "encoder_attn.out_proj",
      joinHeads(inputs.crossAttention(n, project("encoder_attn.q_proj", x), { drop })),
    );
  });
  return residual("final_layer_norm", x, (x) => {
    const inner = scope.linear("fc1", x, intermediate, { activation });
    return output("fc2", scope.dropout("activation_dropout", inner, activationDropout));
  });
}

/** How new parameters are filled: the embedding of the pad token is zero. */
export function initialBart(name: string, config: ConfigReader): Initial | undefined {
  const zeroRow = config.values.pad_token_id;
  return name === "model.decoder.embed_tokens.weight" && typeof zeroRow === "number"
    ? { kind: "normal", deviation: config.number("init_std"), zeroRow }
    : undefined;
}
