// A row of scores as probabilities, and the two ways to remove tokens by them. On the host only.
import type { LogitsProcessor } from "./logits_processor.ts";

/** A row's possible tokens, the likeliest first, with their probabilities. */
export interface Distribution {
  readonly ids: number[];
  /** Of each token of `ids`. */
  readonly probabilities: number[];
}

/** The possible tokens of a row of scores. */
export function distributionOf(scores: Float32Array): Distribution {
  const ids: number[] = [];
  let highest = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    if (scores[id] === -Infinity) continue;
    ids.push(id);
    if (scores[id] > highest) highest = scores[id];
  }
  ids.sort((a, b) => scores[b] - scores[a] || b - a);
  const weights = ids.map((id) => Math.exp(scores[id] - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { ids, probabilities: weights.map((weight) => weight / total) };
}

/** The entropy of a distribution, in nats. */
export const entropyOf = ({ probabilities }: Distribution): number =>
  probabilities.reduce((sum, p) => p > 0 ? sum - p * Math.log(p) : sum, 0);

/** Remove the tokens, the likeliest first, for which `removed` holds, but never the first `kept`. */
export function removing(
  kept: number,
  rule: (distribution: Distribution) => (p: number, rank: number) => boolean,
): LogitsProcessor {
  return (_, scores) => {
    const distribution = distributionOf(scores);
    const removed = rule(distribution);
    distribution.ids.forEach((id, rank) => {
      if (rank >= kept && removed(distribution.probabilities[rank], rank)) scores[id] = -Infinity;
    });
  };
}

/** Remove the tokens less likely than a limit, but none that is as likely as the last of the first `kept`. */
export function below(kept: number, limit: (distribution: Distribution) => number): LogitsProcessor {
  return removing(kept, (distribution) => {
    const { probabilities } = distribution;
    const least = Math.min(limit(distribution), probabilities[Math.min(kept, probabilities.length) - 1]);
    return (probability) => probability < least;
  });
}
