// What is done with a step's logits on the device: small programs without weights, so that every method of generation
// shares one decode program. Each takes `logits` [rows, 1, V] and what its rules need.
import { addDimensions, type Graph, GraphBuilder, multiplyDimensions, type Value } from "../graph/mod.ts";
import {
  add,
  argMax,
  cacheAppend,
  cast,
  concat,
  div,
  equal,
  exp,
  expand,
  gather,
  greaterOrEqual,
  log,
  logSoftmax,
  mul,
  pad,
  range,
  reduceMax,
  reduceSum,
  reshape,
  scatter,
  scatterAdd,
  slice,
  sub,
  topK,
  where,
} from "../operators/mod.ts";

/** The rules that a program applies, in this order, which is Transformers'. */
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

/** How the next tokens are found. */
export type Selection =
  /** The best token of each row is appended to `tokens`. */
  | { readonly kind: "greedy"; readonly rules: ProgramRules }
  /** A token of each row is drawn from the `topK` likeliest (0: from all) and appended to `tokens`. */
  | { readonly kind: "sample"; readonly rules: ProgramRules; readonly topK: number }
  /** The `count` best tokens of each row are found, for the host to read. */
  | { readonly kind: "candidates"; readonly rules: ProgramRules; readonly count: number }
  /** The host reads log-probabilities of all tokens. */
  | { readonly kind: "logProbabilities" }
  /** The host reads the logits. */
  | { readonly kind: "logits" };

/** Steps whose random numbers the device holds at once. */
export const stepsOfNoise = 8;

/** In `rules`, a token whose score stays its own. */
export const own = 1;
/** A score that no token has: what forbids one on the device, where −∞ would make NaN of a row without any other. */
export const forbidden = -1e30;

const rows = "batch*beams";

/**
 * How a vocabulary is cut to draw from it: `blocks` of `width` tokens, the last one with fewer. A block is drawn and
 * then a token of it, which takes blocks + width random numbers instead of V.
 */
export function blocksOf(vocabulary: number): { blocks: number; width: number } {
  const width = Math.ceil(Math.sqrt(vocabulary));
  return { blocks: Math.ceil(vocabulary / width), width };
}

/** Where the entries [rows, V] of tokens `ids` [rows, n] are in a row of them all. */
function placesOf(ids: Value, vocabulary: number): Value {
  const { builder } = ids;
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
  const { builder } = ids;
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
function underHistory(scores: Value, { penalised, ngrams }: ProgramRules): Value {
  if (!penalised && ngrams === 0) return scores;
  const { builder } = scores;
  const vocabulary = scores.shape[1] as number;
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  const ids = slice(tokens, { starts: [0, 0], sizes: [rows, "length"] });
  const places = placesOf(ids, vocabulary);
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
function underLength(scores: Value, { ruled }: ProgramRules): Value {
  if (!ruled) return scores;
  const rules = scores.builder.input("rules", "float32", [1, scores.shape[1]]);
  return where(equal(rules, scores.builder.scalar(own)), scores, rules);
}

const underRules = (scores: Value, rules: ProgramRules): Value => underLength(underHistory(scores, rules), rules);

/** Append a token a row, [rows], to `tokens`. */
function append(chosen: Value): void {
  const tokens = chosen.builder.state("tokens", "int64", [rows, "capacity"]);
  cacheAppend(tokens, reshape(chosen, { shape: [rows, 1] }), { axis: 1, at: "length" });
}

/** The best candidates of each row: output `candidates` [rows, 2, k], log-probabilities, largest first, and ids. */
function offer(scores: Value, count: number): void {
  const [values, ids] = topK(scores, { k: count, axis: -1 });
  // Ids as float32, which are exact below 2^24, so that one read gets both.
  const both = concat([values, cast(ids, { dataType: "float32" })], { axis: 1 });
  scores.builder.output("candidates", reshape(both, { shape: [rows, 2, count] }));
}

/**
 * A draw of a token of each row from softmax(scores), by largest score plus Gumbel noise; the same as `draw` on the host.
 * Near ties aside, rounding does not change which token is drawn, as it would if a sum of probabilities were compared.
 *
 * Input `noise` [stepsOfNoise, rows, blocks + width]; a run reads that of step `at`.
 */
function drawn(scores: Value, vocabulary: number): Value {
  const { builder } = scores;
  const { blocks, width } = blocksOf(vocabulary);
  const noise = builder.input("noise", "float32", [stepsOfNoise, rows, blocks + width]);
  const noiseOf = (from: number, size: number) =>
    reshape(slice(noise, { starts: ["at", 0, from], sizes: [1, rows, size] }), { shape: [rows, size] });
  const missing = blocks * width - vocabulary;
  const whole = pad(scores, { beginning: [0, 0], ending: [0, missing], value: forbidden });
  const cut = reshape(whole, { shape: [rows, blocks, width] });
  const highest = reduceMax(cut, { axes: [2], keepDimensions: true });
  const total = add(log(reduceSum(exp(sub(cut, highest)), { axes: [2] })), reshape(highest, { shape: [rows, blocks] }));
  const block = argMax(add(total, noiseOf(0, blocks)), { axis: 1, keepDimensions: true });
  const isChosen = equal(
    reshape(block, { shape: [rows, 1, 1] }),
    reshape(range(builder, { size: blocks }), { shape: [blocks, 1] }),
  );
  const chosen = reduceMax(where(isChosen, cut, builder.scalar(forbidden)), { axes: [1] });
  const place = argMax(add(chosen, noiseOf(blocks, width)), { axis: 1, keepDimensions: true });
  return add(mul(block, builder.scalar(width, "int64")), place);
}

/** The likeliest k of each row, and those as likely as the last of them; the others are forbidden. */
function likeliest(scores: Value, k: number): Value {
  const [values] = topK(scores, { k, axis: -1 });
  const least = slice(values, { starts: [0, k - 1], sizes: [rows, 1] });
  return where(greaterOrEqual(scores, least), scores, scores.builder.scalar(forbidden));
}

/**
 * The program of a selection, if it needs one.
 *
 * @param vocabulary The number V of tokens, below 2^24.
 */
export function buildSelect(selection: Selection, vocabulary: number): Graph | undefined {
  if (selection.kind === "logits") return undefined;
  const builder = new GraphBuilder(`select by ${selection.kind}`);
  const logits = builder.input("logits", "float32", [rows, 1, vocabulary]);
  const scores = reshape(logits, { shape: [rows, vocabulary] });
  switch (selection.kind) {
    case "greedy":
      append(argMax(underRules(scores, selection.rules), { axis: 1 }));
      break;
    case "sample": {
      const temperature = builder.input("temperature", "float32", [1, 1]);
      const allowed = underLength(div(underHistory(scores, selection.rules), temperature), selection.rules);
      append(drawn(selection.topK > 0 ? likeliest(allowed, selection.topK) : allowed, vocabulary));
      break;
    }
    case "candidates":
      offer(underRules(logSoftmax(scores, { axis: -1 }), selection.rules), selection.count);
      break;
    case "logProbabilities":
      builder.output("logProbabilities", logSoftmax(scores, { axis: -1 }));
  }
  return builder.build();
}
