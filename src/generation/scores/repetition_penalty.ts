// RepetitionPenaltyLogitsProcessor: tokens that a row has become less likely.
import type { Dimension, Value } from "../../graph/mod.ts";
import { div, greaterOrEqual, mul, where } from "../../operators/mod.ts";
import type { LogitsProcessor } from "./logits_processor.ts";
import { replaceScores, type TokenHistory } from "./token_history.ts";

/** On the host. */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  return (tokens, scores) => {
    for (const id of new Set(tokens)) scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  };
}

/** In a program, on scores [rows, V]: input `penalty`, [1, 1] or each row's own [rows, 1], float32. */
export function penalizeRepetition(scores: Value, { places }: TokenHistory, of: Dimension = 1): Value {
  const { builder } = scores;
  const penalty = builder.input("penalty", "float32", [of, 1]);
  return replaceScores(
    scores,
    places,
    (own) => where(greaterOrEqual(own, builder.scalar(0)), div(own, penalty), mul(own, penalty)),
  );
}
