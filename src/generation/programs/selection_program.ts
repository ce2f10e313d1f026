// What is done with a step's logits on the device: small programs without weights, so that every method of generation
// shares one decode program. Each takes `logits` [rows, 1, V] and what its rules need.
import { type Graph, GraphBuilder, type Value } from "../../graph/mod.ts";
import { Tensor } from "../../tensor/mod.ts";
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
  slice,
  sub,
  topK,
  where,
} from "../../operators/mod.ts";
import { advanceBeams, type Beams, stepsHeld } from "./beam_step.ts";
import {
  forbidden,
  placesOf,
  type ProgramRules,
  underHistory,
  underLength,
  underRules,
} from "../scores/device_processors.ts";

/**
 * How the next tokens are found. Where the device takes a row's token, `confident` asks for its confidence too: the host
 * then reads both in `ring`, and no `tokens`.
 */
export type Selection =
  /** The best token of each row is appended to `tokens`. */
  | { readonly kind: "greedy"; readonly rules: ProgramRules; readonly confident: boolean }
  /** A token of each row is drawn from the `topK` likeliest (0: from all) and appended to `tokens`. */
  | { readonly kind: "sample"; readonly rules: ProgramRules; readonly confident: boolean; readonly topK: number }
  /** The `count` best tokens of each row are found, for the host to read. */
  | { readonly kind: "candidates"; readonly rules: ProgramRules; readonly count: number }
  /** The best continuations of each picture's beams, of the `each` best tokens of each, become its beams. */
  | ({ readonly kind: "beams"; readonly rules: ProgramRules; readonly each: number } & Beams)
  /** The host reads log-probabilities of all tokens. */
  | { readonly kind: "logProbabilities" }
  /** The host reads the logits. */
  | { readonly kind: "logits" };

const rows = "batch*beams";

/**
 * How a vocabulary is cut to draw from it: `blocks` of `width` tokens, the last one with fewer. A block is drawn and
 * then a token of it, which takes blocks + width random numbers instead of V.
 */
export function blocksOf(vocabulary: number): { blocks: number; width: number } {
  const width = Math.ceil(Math.sqrt(vocabulary));
  return { blocks: Math.ceil(vocabulary / width), width };
}

/** Whether an entry is the first of a pair. */
const isFirst = new Tensor("bool", [2], Uint8Array.of(1, 0));

/**
 * Take a token of each row: append it to `tokens` and, where it is asked for, tell the host how sure the model is of it,
 * which is its share of softmax(scores). State `ring` [rows, stepsHeld, 2] then holds both for each step.
 *
 * @param ids The tokens, [rows, 1].
 * @param scores What they were taken from, [rows, V].
 * @param own The tokens' scores, [rows, 1].
 */
function take(ids: Value, { scores, own, confident }: { scores: Value; own: () => Value; confident: boolean }): void {
  const { builder } = ids;
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  cacheAppend(tokens, ids, { axis: 1, at: "length" });
  if (!confident) return;
  // In relation to the token's own score, which is the largest or near it: no power overflows.
  const sum = reduceSum(exp(sub(scores, own())), { axes: [1], keepDimensions: true });
  // One read gets both: ids as float32 are exact below 2^24. Of one shape, so that a device can compute it in one go.
  const twice = (x: Value) => expand(x, { shape: [rows, 2] });
  const pair = where(
    builder.constant(isFirst),
    cast(twice(ids), { dataType: "float32" }),
    div(builder.scalar(1), twice(sum)),
  );
  const ring = builder.state("ring", "float32", [rows, stepsHeld, 2]);
  cacheAppend(ring, reshape(pair, { shape: [rows, 1, 2] }), { axis: 1, at: "at" });
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
 * Input `noise` [stepsHeld, rows, blocks + width]; a run reads that of step `at`.
 */
function drawn(scores: Value, vocabulary: number): Value {
  const { builder } = scores;
  const { blocks, width } = blocksOf(vocabulary);
  const noise = builder.input("noise", "float32", [stepsHeld, rows, blocks + width]);
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
 * @param options.caches The decoder's states, which follow beams that a program ranks.
 */
export function buildSelect(
  selection: Selection,
  { vocabulary, caches }: { vocabulary: number; caches?: Graph["states"] },
): Graph | undefined {
  if (selection.kind === "logits") return undefined;
  const builder = new GraphBuilder(`select by ${selection.kind}`);
  // A picture's beams are ranked together, so that their number has to be known.
  const count = selection.kind === "beams" ? `batch*${selection.beams}` : rows;
  const logits = builder.input("logits", "float32", [count, 1, vocabulary]);
  const scores = reshape(logits, { shape: [count, vocabulary] });
  switch (selection.kind) {
    case "greedy": {
      const ruled = underRules(scores, selection.rules);
      const [best, ids] = topK(ruled, { k: 1, axis: -1 });
      take(ids, { scores: ruled, own: () => best, confident: selection.confident });
      break;
    }
    case "sample": {
      const temperature = builder.input("temperature", "float32", [1, 1]);
      const allowed = underLength(div(underHistory(scores, selection.rules), temperature), selection.rules);
      const offered = selection.topK > 0 ? likeliest(allowed, selection.topK) : allowed;
      const ids = drawn(offered, vocabulary);
      const own = () => gather(reshape(offered, { shape: [-1] }), placesOf(ids, vocabulary), { axis: 0 });
      take(ids, { scores: offered, own, confident: selection.confident });
      break;
    }
    case "candidates":
      offer(underRules(logSoftmax(scores, { axis: -1 }), selection.rules), selection.count);
      break;
    case "beams": {
      const ranked = underRules(logSoftmax(scores, { axis: -1 }), selection.rules);
      advanceBeams(ranked, selection, { each: selection.each, caches: caches! });
      break;
    }
    case "logProbabilities":
      builder.output("logProbabilities", logSoftmax(scores, { axis: -1 }));
  }
  return builder.build();
}
