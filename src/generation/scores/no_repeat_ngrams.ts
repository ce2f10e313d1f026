// NoRepeatNGramLogitsProcessor: no sequence of so many tokens comes again.
import { addDimensions, multiplyDimensions, type Value } from "../../graph/mod.ts";
import {
  add,
  cast,
  equal,
  expand,
  gather,
  greaterOrEqual,
  mul,
  pad,
  reshape,
  scatterAdd,
  slice,
  takeRowPositions,
  where,
} from "../../operators/mod.ts";
import { forbidden } from "./forbidden.ts";
import type { LogitsProcessor } from "./logits_processor.ts";
import { type OwnHistory, replaceScores, type TokenHistory } from "./token_history.ts";

/** On the host. */
export function noRepeatNgrams(size: number): LogitsProcessor {
  return (tokens, scores) => {
    const prefix = tokens.length + 1 - size;
    for (let at = 0; at + size <= tokens.length; at++) {
      let same = true;
      for (let i = 0; same && i < size - 1; i++) same = tokens[at + i] === tokens[prefix + i];
      if (same) scores[tokens[at + size - 1]] = -Infinity;
    }
  };
}

/** Whether a row's last `size` − 1 tokens stand before a token of it too, [rows, length], as 1 or 0. */
function completes(ids: Value, size: number): Value {
  const { builder, shape: [rows] } = ids;
  // Behind −1s, which are no tokens, every token has as many before it.
  const padded = pad(ids, { beginning: [0, size], ending: [0, 0], value: -1 });
  const one = expand(builder.scalar(1), { shape: ids.shape });
  return Array.from({ length: size - 1 }, (_, i) => {
    const before = slice(padded, { starts: [0, i + 1], sizes: ids.shape });
    const last = slice(padded, { starts: [0, addDimensions("length", i + 1)], sizes: [rows, 1] });
    return cast(equal(before, last), { dataType: "float32" });
  }).reduce((all, each) => mul(all, each), one);
}

/**
 * Whether the tokens before a token of a row are the row's last ones, as many as its own sequences are long, [rows, length],
 * as 1 or 0.
 *
 * @param sizes How long the sequences of each row are, [rows, 1], int64: at most `most`; 0 where any may come again.
 */
function completesOwn({ ids, lengths, isToken }: OwnHistory, sizes: Value, most: number): Value {
  const { builder, shape: [rows, length] } = ids;
  const whole = (value: number) => builder.scalar(value, "int64");
  const number = (x: Value) => cast(x, { dataType: "float32" });
  const padded = pad(ids, { beginning: [0, most], ending: [0, 0], value: -1 });
  const end = reshape(lengths, { shape: [rows] });
  const all = mul(number(isToken), number(greaterOrEqual(sizes, whole(1))));
  return Array.from({ length: most - 1 }, (_, i) => {
    const before = slice(padded, { starts: [0, most - 1 - i], sizes: [rows, length] });
    const last = takeRowPositions(padded, { axis: 1, at: add(end, whole(most - 1 - i)), size: 1 });
    // What is longer than the row's own sequences may differ.
    return add(number(equal(before, last)), number(greaterOrEqual(whole(1 + i), sizes)));
  }).reduce((product, each) => mul(product, each), all);
}

/** In a program, on scores [rows, V]: input `ngram` [rows, 1], int64, as the sizes of `completesOwn`. */
export function forbidOwnNgrams(scores: Value, history: OwnHistory, most: number): Value {
  const sizes = scores.builder.input("ngram", "int64", [scores.shape[0], 1]);
  return forbid(scores, history, completesOwn(history, sizes, most));
}

/** In a program, on scores [rows, V]. */
export function forbidRepeatedNgrams(scores: Value, history: TokenHistory, size: number): Value {
  return forbid(scores, history, completes(history.ids, size));
}

/** Forbid the tokens at whose places in the history `completed` is at least 1. */
function forbid(scores: Value, { places }: TokenHistory, completed: Value): Value {
  const { builder, shape: [rows, vocabulary] } = scores;
  // A token that a row has twice may complete the sequence at one of its places only.
  const flat = (x: Value) => reshape(x, { shape: [-1] });
  const sums = scatterAdd(flat(places), flat(completed), { size: multiplyDimensions(rows, vocabulary) });
  const counts = gather(sums, places, { axis: 0 });
  return replaceScores(
    scores,
    places,
    (own) => where(greaterOrEqual(counts, builder.scalar(1)), builder.scalar(forbidden), own),
  );
}
