// NoRepeatNGramLogitsProcessor: no sequence of so many tokens comes again.
import { addDimensions, multiplyDimensions, type Value } from "../../graph/mod.ts";
import {
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
  where,
} from "../../operators/mod.ts";
import { forbidden } from "./forbidden.ts";
import type { LogitsProcessor } from "./logits_processor.ts";
import { replaceScores, type TokenHistory } from "./token_history.ts";

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

/** In a program, on scores [rows, V]. */
export function forbidRepeatedNgrams(scores: Value, { ids, places }: TokenHistory, size: number): Value {
  const { builder, shape: [rows, vocabulary] } = scores;
  // A token that a row has twice may complete the sequence at one of its places only.
  const flat = (x: Value) => reshape(x, { shape: [-1] });
  const sums = scatterAdd(flat(places), flat(completes(ids, size)), { size: multiplyDimensions(rows, vocabulary) });
  const counts = gather(sums, places, { axis: 0 });
  return replaceScores(
    scores,
    places,
    (own) => where(greaterOrEqual(counts, builder.scalar(1)), builder.scalar(forbidden), own),
  );
}
