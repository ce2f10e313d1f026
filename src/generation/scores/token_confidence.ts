// How sure the model is of a token: its share of softmax(scores), the scores being those that it was taken from.
import type { Value } from "../../graph/mod.ts";
import { div, exp, gather, reduceSum, reshape, sub } from "../../operators/mod.ts";
import { placesOf } from "./token_history.ts";

/**
 * On the host. Where no token is allowed all have the same.
 *
 * @param scores A score for each token; −∞ for those that are not allowed.
 */
export function confidenceOf(scores: Float32Array, token: number): number {
  const own = scores[token];
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += scores[id] === own ? 1 : Math.exp(scores[id] - own);
  return 1 / sum;
}

/**
 * In a program.
 *
 * @param scores Shape [rows, V].
 * @param ids The tokens, [rows, 1], int64.
 * @param own Their scores, [rows, 1], where these are known.
 * @returns Shape [rows, 1], float32.
 */
export function confidences(scores: Value, ids: Value, own: Value = scoresAt(scores, ids)): Value {
  // In relation to the token's own score, which is the largest or near it: no power overflows.
  const sum = reduceSum(exp(sub(scores, own)), { axes: [1], keepDimensions: true });
  return div(scores.builder.scalar(1), sum);
}

const scoresAt = (scores: Value, ids: Value): Value =>
  gather(reshape(scores, { shape: [-1] }), placesOf(ids, scores), { axis: 0 });
