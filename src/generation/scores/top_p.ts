// TopPLogitsWarper: the likeliest tokens whose probabilities together reach p. On the host only.
import { removing } from "./distribution.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** @param kept So many tokens stay at least. */
export function topP(p: number, kept: number): LogitsProcessor {
  return removing(kept, ({ probabilities }) => {
    // Summed from the least likely on, as Transformers does.
    const sums = new Float64Array(probabilities.length);
    let sum = 0;
    for (let rank = probabilities.length - 1; rank >= 0; rank--) sums[rank] = sum += probabilities[rank];
    return (_, rank) => sums[rank] <= 1 - p;
  });
}
