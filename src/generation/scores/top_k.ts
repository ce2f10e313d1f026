// TopKLogitsWarper: the k likeliest tokens, and those as likely as the last of them.
import type { Value } from "../../graph/mod.ts";
import { equal, greaterOrEqual, range, reduceMax, slice, topK as topEntries, where } from "../../operators/mod.ts";
import { forbidden } from "./forbidden.ts";
import { largest } from "./largest_entries.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** On the host. @param kept So many tokens stay at least. */
export function topK(k: number, kept: number): LogitsProcessor {
  return (_, scores) => {
    const { values } = largest(scores, Math.min(Math.max(k, kept), scores.length));
    const least = values[values.length - 1];
    for (let id = 0; id < scores.length; id++) if (scores[id] < least) scores[id] = -Infinity;
  };
}

/**
 * In a program, on scores [rows, V].
 *
 * @param sizes Of how many of the likeliest tokens each row's is drawn, [rows, 1], int64: at most `most`; 0: of all.
 */
export function keepOwnTopK(scores: Value, sizes: Value, most: number): Value {
  const { builder } = scores;
  const [values] = topEntries(scores, { k: most, axis: -1 });
  const places = range(builder, { size: most, start: 1 });
  const isLast = equal(places, sizes);
  const none = builder.scalar(forbidden);
  const least = reduceMax(where(isLast, values, none), { axes: [1], keepDimensions: true });
  return where(greaterOrEqual(scores, least), scores, none);
}

/** In a program, on scores [rows, V]. */
export function keepTopK(scores: Value, k: number): Value {
  const [values] = topEntries(scores, { k, axis: -1 });
  const least = slice(values, { starts: [0, k - 1], sizes: [scores.shape[0], 1] });
  return where(greaterOrEqual(scores, least), scores, scores.builder.scalar(forbidden));
}
