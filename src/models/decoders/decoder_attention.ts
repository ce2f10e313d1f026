// The attentions that a decoder is given: to itself, over a cache or over the tokens of one run, and to the encoder.
import type { Dimension, Value } from "../../graph/mod.ts";
import { attention, type AttentionOptions, attentionProbabilities, matmul } from "../../operators/mod.ts";
import type { AttendOptions, DecoderInputs, KeysValues } from "../family.ts";

/** What the attentions of a decoder see. */
export interface Attending {
  /** For each layer the encoder's keys and values. */
  readonly cross: readonly KeysValues[];
  /** Append keys and values [rows, H, T, D] of a layer to its cache and return all of them. @default no cache */
  readonly append?: (layer: number, current: KeysValues) => KeysValues;
  /** The positions in use after appending; of the longest row where rows have lengths of their own. @default all */
  readonly length?: Dimension;
  /** The positions in use of each row, [rows]. @default `length` for all */
  readonly lengths?: Value;
  /**
   * Added to the products of queries and keys, [rows, 1, T, positions]; it holds the causal rule too, so that a token
   * that may see nothing sees all alike, as in the reference. @default the causal rule
   */
  readonly mask?: Value;
  /** Is given the probabilities, [rows, H, T, S], of the attentions that it asks for. Without a cache only. */
  readonly observe?: (kind: "self" | "cross", layer: number, probabilities: Value) => void;
}

/** The attentions of a decoder, over what `attending` holds. */
export function attentionsOf(
  { cross, append, length, lengths, mask, observe }: Attending,
): Pick<DecoderInputs, "selfAttention" | "crossAttention"> {
  const attend = (
    kind: "self" | "cross",
    layer: number,
    query: Value,
    { keys, values }: KeysValues,
    { drop, ...options }: AttentionOptions & { drop: AttendOptions["drop"] },
  ): Value => {
    if (!observe && !drop) return attention(query, keys, values, options);
    const whole = attentionProbabilities(query, keys, options);
    const probabilities = drop?.(whole) ?? whole;
    observe?.(kind, layer, probabilities);
    return matmul(probabilities, values);
  };
  return {
    selfAttention(layer, query, current, { scale, drop } = {}) {
      const all = append?.(layer, current) ?? current;
      return attend("self", layer, query, all, { causal: !mask, length, lengths, scale, drop, mask });
    },
    crossAttention: (layer, query, { scale, drop } = {}) =>
      attend("cross", layer, query, cross[layer], { scale, drop }),
  };
}
