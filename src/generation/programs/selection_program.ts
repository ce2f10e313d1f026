// What is done with a step's logits on the device: small programs without weights, so that every method of generation
// shares one decode program. Each takes `logits` [rows, 1, V] and what its processors need.
import { type Graph, GraphBuilder, type Value } from "../../graph/mod.ts";
import { cacheAppend, cast, concat, expand, logSoftmax, reshape, topK, where } from "../../operators/mod.ts";
import { Tensor } from "../../tensor/mod.ts";
import { processScores, type ProgramProcessors } from "../scores/processor_list.ts";
import { confidences } from "../scores/token_confidence.ts";
import { divideByTemperature } from "../scores/temperature.ts";
import { drawTokens } from "../scores/token_draw.ts";
import { keepTopK } from "../scores/top_k.ts";
import { advanceBeams, type Beams } from "./beam_step.ts";
import { maxStepsPerRead } from "./max_steps_per_read.ts";

/**
 * How the next tokens are found. Where the device takes a row's token, `confident` asks for its confidence too: the host
 * then reads both in `ring`, and no `tokens`.
 */
export type Selection =
  /** The best token of each row is appended to `tokens`. */
  | { readonly kind: "greedy"; readonly processors: ProgramProcessors; readonly confident: boolean }
  /** A token of each row is drawn from the `topK` likeliest (0: from all) and appended to `tokens`. */
  | {
    readonly kind: "sample";
    readonly processors: ProgramProcessors;
    readonly confident: boolean;
    readonly topK: number;
  }
  /** The `count` best tokens of each row are found, for the host to read. */
  | { readonly kind: "candidates"; readonly processors: ProgramProcessors; readonly count: number }
  /** The best continuations of each picture's beams, of the `each` best tokens of each, become its beams. */
  | ({ readonly kind: "beams"; readonly processors: ProgramProcessors; readonly each: number } & Beams)
  /** The host reads log-probabilities of all tokens. */
  | { readonly kind: "logProbabilities" }
  /** The host reads the logits. */
  | { readonly kind: "logits" };

const rows = "batch*beams";

/** Append tokens, [rows, 1], to `tokens`. */
function append(ids: Value): void {
  const tokens = ids.builder.state("tokens", "int64", [rows, "capacity"]);
  cacheAppend(tokens, ids, { axis: 1, at: "length" });
}

/** Whether an entry is the first of a pair. */
const isFirst = new Tensor("bool", [2], Uint8Array.of(1, 0));

/** Let the host read tokens and how sure the model is of them, [rows, 1] each: state `ring` [rows, maxStepsPerRead, 2]. */
export function report(ids: Value, shares: Value): void {
  const { builder } = ids;
  // One read gets both: ids as float32 are exact below 2^24. Of one shape, so that a device can compute it in one go.
  const twice = (x: Value) => expand(x, { shape: [rows, 2] });
  const pair = where(builder.constant(isFirst), cast(twice(ids), { dataType: "float32" }), twice(shares));
  const ring = builder.state("ring", "float32", [rows, maxStepsPerRead, 2]);
  cacheAppend(ring, reshape(pair, { shape: [rows, 1, 2] }), { axis: 1, at: "at" });
}

/** The best candidates of each row: an output [rows, 2, k], log-probabilities, largest first, and ids. */
export function offer(scores: Value, count: number, name = "candidates"): void {
  const [values, ids] = topK(scores, { k: count, axis: -1 });
  // Ids as float32, which are exact below 2^24, so that one read gets both.
  const both = concat([values, cast(ids, { dataType: "float32" })], { axis: 1 });
  scores.builder.output(name, reshape(both, { shape: [rows, 2, count] }));
}

/**
 * The program of a selection, if it needs one.
 *
 * @param vocabulary The number V of tokens, below 2^24.
 * @param options.caches The decoder's states, which follow beams that a program ranks.
 */
export function buildSelectionProgram(
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
      const allowed = processScores(scores, selection.processors);
      const [best, ids] = topK(allowed, { k: 1, axis: -1 });
      append(ids);
      if (selection.confident) report(ids, confidences(allowed, ids, best));
      break;
    }
    case "sample": {
      const allowed = processScores(scores, selection.processors, divideByTemperature);
      const offered = selection.topK > 0 ? keepTopK(allowed, selection.topK) : allowed;
      const { ids } = drawTokens(offered);
      append(ids);
      if (selection.confident) report(ids, confidences(offered, ids));
      break;
    }
    case "candidates":
      offer(processScores(logSoftmax(scores, { axis: -1 }), selection.processors), selection.count);
      break;
    case "beams": {
      const ranked = processScores(logSoftmax(scores, { axis: -1 }), selection.processors);
      advanceBeams(ranked, selection, { each: selection.each, caches: caches! });
      break;
    }
    case "logProbabilities":
      builder.output("logProbabilities", logSoftmax(scores, { axis: -1 }));
  }
  return builder.build();
}
