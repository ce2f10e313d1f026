// What is done with a step's logits on the device: small programs without weights, so that every method of generation
// shares one decode program.
import { type Graph, GraphBuilder } from "../graph/mod.ts";
import { argMax, cacheAppend } from "../operators/mod.ts";

/** How the next token is found: `greedy` on the device; `none` leaves the logits to whoever reads them. */
export type Selection = "greedy" | "none";

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
