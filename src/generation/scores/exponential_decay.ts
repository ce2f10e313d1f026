// ExponentialDecayLengthPenalty: from some length on end tokens become likelier and likelier. On the host only.
import type { LogitsProcessor } from "./logits_processor.ts";

/**
 * @param decay From how many new tokens on, and by which factor a token.
 * @param ends The end tokens.
 * @param promptLength Tokens of the prompt.
 */
export function exponentialDecay(
  [start, factor]: readonly [number, number],
  ends: readonly number[],
  promptLength: number,
): LogitsProcessor {
  return (tokens, scores) => {
    const beyond = tokens.length - promptLength - start;
    if (beyond <= 0) return;
    for (const id of new Set(ends)) {
      if (Number.isFinite(scores[id])) scores[id] += Math.fround(Math.abs(scores[id]) * (factor ** beyond - 1));
    }
  };
}
