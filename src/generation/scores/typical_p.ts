// TypicalLogitsWarper (Meister et al. 2022): the tokens whose information is closest to the entropy. On the host only.
import { distributionOf, entropyOf } from "./distribution.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/**
 * @param mass The probability that they have together.
 * @param kept So many tokens stay at least.
 */
export function typicalP(mass: number, kept: number): LogitsProcessor {
  return (_, scores) => {
    const distribution = distributionOf(scores);
    const entropy = entropyOf(distribution);
    const typed = distribution.ids
      .map((id, i) => ({
        id,
        p: distribution.probabilities[i],
        far: Math.abs(-Math.log(distribution.probabilities[i]) - entropy),
      }))
      .sort((a, b) => a.far - b.far);
    let sum = 0;
    let last = 0;
    for (const { p } of typed) if ((sum += p) < mass) last++;
    const limit = typed[Math.min(last, typed.length - 1)].far;
    typed.forEach(({ id, far }, i) => {
      if (i >= kept && far > limit) scores[id] = -Infinity;
    });
  };
}
