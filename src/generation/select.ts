// What is done with a step's logits on the device: small programs without weights, so that every method of generation
// shares one decode program.
import { type Graph, GraphBuilder } from "../graph/mod.ts";
import { argMax, cacheAppend, cast, concat, logSoftmax, reshape, topK } from "../operators/mod.ts";

/**
 * How the next token is found: `greedy` on the device; by the so many best `candidates` of each row, which are read; or
 * not at all, which leaves the logits to whoever reads them.
 */
export type Selection = "greedy" | "none" | { readonly candidates: number };

/**
 * The program that takes the best token of each row and appends it to `tokens` at position `length`.
 *
 * @param vocabulary The number V of tokens.
 * @returns Input `logits` [rows, 1, V]; state `tokens` [rows, capacity], int64.
 */
export function buildGreedySelect(vocabulary: number): Graph {
  const builder = new GraphBuilder("select greedily");
  const rows = "batch*beams";
  const logits = builder.input("logits", "float32", [rows, 1, vocabulary]);
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  cacheAppend(tokens, argMax(logits, { axis: -1 }), { axis: 1, at: "length" });
  return builder.build();
}

/**
 * The program that finds the best tokens of each row and their log-probabilities.
 *
 * @param vocabulary The number V of tokens, below 2^24: ids are given as float32, so that one read gets both.
 * @param count How many, k.
 * @returns Input `logits` [rows, 1, V]; output `candidates` [rows, 2, k]: log-probabilities, largest first, and ids.
 */
export function buildCandidateSelect(vocabulary: number, count: number): Graph {
  const builder = new GraphBuilder("select candidates");
  const rows = "batch*beams";
  const logits = builder.input("logits", "float32", [rows, 1, vocabulary]);
  const scores = logSoftmax(reshape(logits, { shape: [rows, vocabulary] }), { axis: -1 });
  const [values, ids] = topK(scores, { k: count, axis: -1 });
  const both = concat([values, cast(ids, { dataType: "float32" })], { axis: 1 });
  builder.output("candidates", reshape(both, { shape: [rows, 2, count] }));
  return builder.build();
}
