// The tokens that rows have so far, in programs: what processors that look back are made of.
import type { Value } from "../../graph/mod.ts";
import { add, gather, greaterOrEqual, mul, range, reshape, scatter, slice, where } from "../../operators/mod.ts";

/** The tokens before those that scores [rows, V] are of. */
export interface TokenHistory {
  /** The tokens before `length`, the prompt first, [rows, length], int64. */
  readonly ids: Value;
  /** Where their scores are, counted through all rows, [rows, length], int64. */
  readonly places: Value;
}

/** The history of rows, read from the state `tokens` [rows, capacity]. */
export function tokenHistory(scores: Value): TokenHistory {
  const { builder, shape: [rows] } = scores;
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  const ids = slice(tokens, { starts: [0, 0], sizes: [rows, "length"] });
  return { ids, places: placesOf(ids, scores) };
}

/** The history of rows of which each has a length of its own; no row has more than `length`. */
export interface OwnHistory extends TokenHistory {
  /** Tokens of each row, [rows, 1], int64. */
  readonly lengths: Value;
  /** Whether a place of `ids` holds a token of its row, [rows, length]; `places` has the row's first token elsewhere. */
  readonly isToken: Value;
}

/**
 * The history of rows that have lengths of their own.
 *
 * @param past Tokens of each row but the last, [rows], int64.
 */
export function ownHistory(scores: Value, past: Value): OwnHistory {
  const { builder, shape: [rows] } = scores;
  const { ids } = tokenHistory(scores);
  const last = reshape(past, { shape: [rows, 1] });
  const isToken = greaterOrEqual(last, range(builder, { size: "length" }));
  const first = slice(ids, { starts: [0, 0], sizes: [rows, 1] });
  const places = placesOf(where(isToken, ids, first), scores);
  return { ids, places, isToken, lengths: add(last, builder.scalar(1, "int64")) };
}

/** Where the scores [rows, V] of tokens `ids` [rows, n] are, counted through all rows. */
export function placesOf(ids: Value, { builder, shape: [rows, vocabulary] }: Value): Value {
  const row = reshape(range(builder, { size: rows }), { shape: [rows, 1] });
  return add(ids, mul(row, builder.scalar(vocabulary as number, "int64")));
}

/** Scores [rows, V] with those at `places` replaced by what `change` makes of them, of any shape. */
export function replaceScores(scores: Value, places: Value, change: (scores: Value) => Value): Value {
  const all = reshape(scores, { shape: [-1] });
  return reshape(scatter(all, places, change(gather(all, places, { axis: 0 }))), { shape: scores.shape });
}
