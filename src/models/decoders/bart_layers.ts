// The decoder that BART, mBART and TrOCR share: positions from row 2 on, attention to itself, to the picture, and a
// feed-forward part; each is normalised behind (BART, TrOCR) or before (mBART).
import type { Value } from "../../graph/mod.ts";
import { add, gather, mul } from "../../operators/mod.ts";
import type { ConfigReader } from "../config/config_reader.ts";
import type { DecoderInputs, TextDecoder } from "../family.ts";
import { activationNames } from "../activations.ts";
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

/** Build a decoder of this kind, its names below `model.decoder`. */
export function buildBartDecoder(config: ConfigReader, variant: BartVariant): TextDecoder {
  const hiddenSize = config.whole("d_model");
  const vocabularySize = config.whole("vocab_size");
  const layers = config.whole("decoder_layers");
  const heads = config.whole("decoder_attention_heads");
  const intermediate = config.whole("decoder_ffn_dim");
  const activation = config.choice("activation_function", activationNames);
  const maxPositions = variant.maxPositions ?? config.whole("max_position_embeddings");
  const headWidth = config.headWidth(hiddenSize, heads, "decoder_attention_heads");
  const scaled = config.flag("scale_embedding");
  const { preNorm, embeddingNorm, head, positions = learned } = variant;

  function learned(scope: Scope, inputs: DecoderInputs): Value {
    const rows = config.whole("max_position_embeddings") + positionOffset;
    return countedPositions(scope.parameter("embed_positions.weight", [rows, hiddenSize]), inputs, positionOffset);
  }

  function embed(scope: Scope, inputs: DecoderInputs): Value {
    let x = gather(scope.parameter("embed_tokens.weight", [vocabularySize, hiddenSize]), inputs.ids, { axis: 0 });
    if (scaled) x = mul(x, scope.builder.scalar(Math.sqrt(hiddenSize)));
    x = add(x, positions(scope, inputs));
    return embeddingNorm ? scope.layerNorm("layernorm_embedding", x) : x;
  }

  /** x plus what a part makes of it, normalised before or behind. */
  function residual(scope: Scope, norm: string, x: Value, part: (x: Value) => Value): Value {
    return preNorm ? add(x, part(scope.layerNorm(norm, x))) : scope.layerNorm(norm, add(x, part(x)));
  }

  function layer(scope: Scope, x: Value, n: number, inputs: DecoderInputs): Value {
    const project = (name: string, x: Value) => splitHeads(scope.linear(name, x, hiddenSize), heads);
    x = residual(scope, "self_attn_layer_norm", x, (x) => {
      const current = { keys: project("self_attn.k_proj", x), values: project("self_attn.v_proj", x) };
      const context = inputs.selfAttention(n, project("self_attn.q_proj", x), current);
      return scope.linear("self_attn.out_proj", joinHeads(context), hiddenSize);
    });
    x = residual(scope, "encoder_attn_layer_norm", x, (x) => {
      const context = inputs.crossAttention(n, project("encoder_attn.q_proj", x));
      return scope.linear("encoder_attn.out_proj", joinHeads(context), hiddenSize);
    });
    return residual(
      scope,
      "final_layer_norm",
      x,
      (x) => scope.linear("fc2", scope.linear("fc1", x, intermediate, { activation }), hiddenSize),
    );
  }

  return {
    hiddenSize,
    vocabularySize,
    layers,
    heads,
    headWidth,
    maxPositions,
    crossKeysValues(scope, encoderStates) {
      return Array.from({ length: layers }, (_, n) => {
        const at = scope.at(`model.decoder.layers.${n}.encoder_attn`);
        const project = (name: string) => splitHeads(at.linear(name, encoderStates, hiddenSize), heads);
        return { keys: project("k_proj"), values: project("v_proj") };
      });
    },
    decode(scope, inputs) {
      const decoder = scope.at("model.decoder");
      let x = embed(decoder, inputs);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) hiddenStates.push(x = layer(decoder.at(`layers.${n}`), x, n, inputs));
      if (preNorm) hiddenStates[layers] = x = decoder.layerNorm("layer_norm", x);
      return { lastHiddenState: x, hiddenStates };
    },
    ties: { [`${head}.weight`]: "model.decoder.embed_tokens.weight" },
    logits(scope, states) {
      return scope.linear(head, states, vocabularySize, { bias: false });
    },
  };
}

/** How new parameters are filled: the embedding of the pad token is zero. */
export function initialBart(name: string, config: ConfigReader): Initial | undefined {
  const zeroRow = config.values.pad_token_id;
  return name === "model.decoder.embed_tokens.weight" && typeof zeroRow === "number"
    ? { kind: "normal", deviation: config.number("init_std"), zeroRow }
    : undefined;
}
