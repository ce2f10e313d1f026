// The attentions that a decoder is given: to itself, over a cache or over the tokens of one run, and to the encoder.
import type { Dimension, Value } from "../graph/mod.ts";
import {
  add,
  attention,
  greaterOrEqual,
  lowestScore,
  matmul,
  mul,
  range,
  reshape,
  softmax,
  transposeLast,
  where,
} from "../operators/mod.ts";
import type { DecoderInputs, KeysValues } from "./family.ts";

/** What the attentions of a decoder see. */
export interface Attending {
  /** For each layer the encoder's keys and values. */
  readonly cross: readonly KeysValues[];
  /** Append keys and values [rows, H, T, D] of a layer to its cache and return all of them. @default no cache */
  readonly append?: (layer: number, current: KeysValues) => KeysValues;
  /** The positions in use after appending. @default all */
  readonly length?: Dimension;
  /**
   * Added to the products of queries and keys, [rows, 1, T, positions]; it holds the causal rule too, so that a token
   * that may see nothing sees all alike, as in the reference. @default the causal rule
   */
  readonly mask?: Value;
  /** Is given the probabilities, [rows, H, T, S], of the attentions that it asks for. Without a cache only. */
  readonly observe?: (kind: "self" | "cross", layer: number, probabilities: Value) => void;
}

/** Attention with its probabilities; a row's beams do not share keys here. */
function probabilities(query: Value, keys: Value, scale: number, options: { causal: boolean; mask?: Value }): Value {
  const { builder } = query;
  let scores = mul(matmul(query, transposeLast(keys)), builder.scalar(scale));
  if (options.mask) scores = add(scores, options.mask);
  if (options.causal) {
    const T = query.shape[2];
    const row = reshape(range(builder, { size: T }), { shape: [T, 1] });
    scores = where(greaterOrEqual(row, range(builder, { size: T })), scores, builder.scalar(lowestScore));
  }
  return softmax(scores, { axis: -1 });
}

/** The attentions of a decoder, over what `attending` holds. */
export function attentionsOf(
  { cross, append, length, mask, observe }: Attending,
): Pick<DecoderInputs, "selfAttention" | "crossAttention"> {
  const scaleOf = (query: Value, scale?: number) => scale ?? 1 / Math.sqrt(query.shape[3] as number);
  return {
    selfAttention(layer, query, current, { scale } = {}) {
      const { keys, values } = append?.(layer, current) ?? current;
      if (!observe) {
        return attention(query, keys, values, { causal: !mask, length, scale, ...(mask && { mask }) });
      }
      const weights = probabilities(query, keys, scaleOf(query, scale), { causal: !mask, mask });
      observe("self", layer, weights);
      return matmul(weights, values);
    },
    crossAttention(layer, query, { scale } = {}) {
      const { keys, values } = cross[layer];
      if (!observe) return attention(query, keys, values, { scale });
      const weights = probabilities(query, keys, scaleOf(query, scale), { causal: false });
      observe("cross", layer, weights);
      return matmul(weights, values);
    },
  };
}
