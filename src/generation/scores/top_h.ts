// TopHLogitsWarper (arXiv 2509.02510): of the 100 likeliest tokens those that together have a share of their entropy. On
// the host only.
import { distributionOf } from "./distribution.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** @param share From 0 to 1. */
export function topH(share: number): LogitsProcessor {
  return (_, scores) => {
    const { ids, probabilities } = distributionOf(scores);
    const likeliest = probabilities.slice(0, 100).filter((p) => p > 0);
    const total = likeliest.reduce((sum, p) => sum + p, 0);
    const terms = likeliest.map((p) => -p / total * Math.log(p / total));
    const limit = share * terms.reduce((sum, term) => sum + term, 0);
    let sum = 0;
    ids.forEach((id, rank) => {
      sum += terms[rank] ?? Infinity;
      if (rank > 0 && sum > limit) scores[id] = -Infinity;
    });
  };
}
