// The rules that programs apply to scores [rows, V] before a token is taken, in Transformers' order.
import { addDimensions, multiplyDimensions, type Value } from "../../graph/mod.ts";
import {
  add,
  cast,
  div,
  equal,
  expand,
  gather,
  greaterOrEqual,
  lowestScore,
  mul,
  pad,
  range,
  reshape,
  scatter,
  scatterAdd,
  slice,
  where,
} from "../../operators/mod.ts";

/** Which rules a program applies, in their order. */
export interface ProgramRules {
  /** Whether tokens that a row has are penalised: input `penalty` [1, 1]. */
  readonly penalised: boolean;
  /** Sequences of so many tokens do not come again; 0: they may. */
  readonly ngrams: number;
  /** Whether rules hold that depend on the length alone: input `rules` [1, V] (see rules.ts). */
  readonly ruled: boolean;
}

/** None of them. */
export const noRules: ProgramRules = { penalised: false, ngrams: 0, ruled: false };

/** In `rules`, a token whose score stays its own. */
export const own = 1;
/** A score that no token has: what forbids one on the device. */
export const forbidden = lowestScore;

/** Where the entries [rows, V] of tokens `ids` [rows, n] are in a row of them all. */
export function placesOf(ids: Value, vocabulary: number): Value {
  const { builder, shape: [rows] } = ids;
  const row = reshape(range(builder, { size: rows }), { shape: [rows, 1] });
  return add(ids, mul(row, builder.scalar(vocabulary, "int64")));
}

/** Scores [rows, V] with those of the tokens at `places` replaced by what `change` makes of them, of any shape. */
function changed(scores: Value, places: Value, change: (scores: Value) => Value): Value {
  const all = reshape(scores, { shape: [-1] });
  return reshape(scatter(all, places, change(gather(all, places, { axis: 0 }))), { shape: scores.shape });
}

/** Whether a row's last `size` − 1 tokens stand before a token of it too, [rows, length], as 1 or 0. */
function follows(ids: Value, size: number): Value {
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

/** Scores [rows, V] under the rules of what rows have: the tokens before `length`. */
export function underHistory(scores: Value, { penalised, ngrams }: ProgramRules): Value {
  if (!penalised && ngrams === 0) return scores;
  const { builder, shape: [rows, vocabulary] } = scores;
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  const ids = slice(tokens, { starts: [0, 0], sizes: [rows, "length"] });
  const places = placesOf(ids, vocabulary as number);
  if (penalised) {
    const penalty = builder.input("penalty", "float32", [1, 1]);
    const penalise = (own: Value) =>
      where(greaterOrEqual(own, builder.scalar(0)), div(own, penalty), mul(own, penalty));
    scores = changed(scores, places, penalise);
  }
  if (ngrams === 0) return scores;
  // A token that a row has twice may follow at one place only.
  const flat = (x: Value) => reshape(x, { shape: [-1] });
  const size = multiplyDimensions(rows, vocabulary);
  const counts = gather(scatterAdd(flat(places), flat(follows(ids, ngrams)), { size }), places, { axis: 0 });
  return changed(
    scores,
    places,
    (own) => where(greaterOrEqual(counts, builder.scalar(1)), builder.scalar(forbidden), own),
  );
}

/** Scores [rows, V] under the rules of the length: a token's own score, or the one that replaces it. */
export function underLength(scores: Value, { ruled }: ProgramRules): Value {
  if (!ruled) return scores;
  const rules = scores.builder.input("rules", "float32", [1, scores.shape[1]]);
  return where(equal(rules, scores.builder.scalar(own)), scores, rules);
}

/** Scores [rows, V] under all rules. */
export const underRules = (scores: Value, rules: ProgramRules): Value =>
  underLength(underHistory(scores, rules), rules);
