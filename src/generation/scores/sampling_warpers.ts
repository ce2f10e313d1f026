// The rules of sampling: which tokens may be drawn at all. Transformers' warpers, in its order.
import { largest } from "./largest_entries.ts";
import type { LogitsProcessor } from "./logits_processors.ts";
import type { GenerationSettings } from "../request/settings.ts";

/** A row's possible tokens, the likeliest first, with their probabilities. */
interface Distribution {
  readonly ids: number[];
  /** Of each token of `ids`. */
  readonly probabilities: number[];
}

function distributionOf(scores: Float32Array): Distribution {
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

const entropyOf = ({ probabilities }: Distribution): number =>
  probabilities.reduce((sum, p) => p > 0 ? sum - p * Math.log(p) : sum, 0);

/** TopKLogitsWarper: the k likeliest, and those as likely as the last of them. */
function topK(k: number, kept: number): LogitsProcessor {
  return (_, scores) => {
    const { values } = largest(scores, Math.min(Math.max(k, kept), scores.length));
    const least = values[values.length - 1];
    for (let id = 0; id < scores.length; id++) if (scores[id] < least) scores[id] = -Infinity;
  };
}

/** Remove the tokens, the likeliest first, for which `removed` holds, but never the first `kept`. */
function removing(kept: number, rule: (distribution: Distribution) => (p: number, rank: number) => boolean) {
  return (_: readonly number[], scores: Float32Array): void => {
    const distribution = distributionOf(scores);
    const removed = rule(distribution);
    distribution.ids.forEach((id, rank) => {
      if (rank >= kept && removed(distribution.probabilities[rank], rank)) scores[id] = -Infinity;
    });
  };
}

/** Remove the tokens less likely than a limit, but none that is as likely as the last of the first `kept`. */
function below(kept: number, limit: (distribution: Distribution) => number): LogitsProcessor {
  return removing(kept, (distribution) => {
    const { probabilities } = distribution;
    const least = Math.min(limit(distribution), probabilities[Math.min(kept, probabilities.length) - 1]);
    return (probability) => probability < least;
  });
}

/** TopHLogitsWarper (arXiv 2509.02510): of the 100 likeliest those that together have this share of their entropy. */
function topH(share: number): LogitsProcessor {
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

/** TopPLogitsWarper: the likeliest whose probabilities together reach p. */
function topP(p: number, kept: number): LogitsProcessor {
  return removing(kept, ({ probabilities }) => {
    // Summed from the least likely on, as Transformers does.
    const sums = new Float64Array(probabilities.length);
    let sum = 0;
    for (let rank = probabilities.length - 1; rank >= 0; rank--) sums[rank] = sum += probabilities[rank];
    return (_, rank) => sums[rank] <= 1 - p;
  });
}

/** TypicalLogitsWarper (Meister et al. 2022): those whose information is closest to the entropy. */
function typical(mass: number, kept: number): LogitsProcessor {
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

/** Whether sampling needs the whole distribution, beyond temperature and the k likeliest, which the device finds. */
export function needsDistribution(settings: GenerationSettings): boolean {
  const { topH, topP, minP, typicalP, epsilonCutoff, etaCutoff } = settings;
  return topH !== undefined || topP < 1 || minP !== undefined || typicalP < 1 || epsilonCutoff > 0 || etaCutoff > 0;
}

/** The rules of sampling; none if the generation does not sample. */
export function warpersOf(settings: GenerationSettings): LogitsProcessor[] {
  if (!settings.doSample) return [];
  const { temperature, topK: k, topP: p, minP, typicalP, epsilonCutoff, etaCutoff } = settings;
  const kept = settings.numBeams > 1 ? Math.max(1, settings.eosTokenIds.length) + 1 : 1;
  const warpers: LogitsProcessor[] = [];
  if (temperature !== 1) {
    warpers.push((_, scores) => {
      for (let id = 0; id < scores.length; id++) scores[id] /= temperature;
    });
  }
  if (settings.topH !== undefined) warpers.push(topH(settings.topH));
  if (k !== 0) warpers.push(topK(k, kept));
  if (p < 1) warpers.push(topP(p, kept));
  if (minP !== undefined) {
    warpers.push(removing(kept, ({ probabilities: [most] }) => (probability) => probability < minP * most));
  }
  if (typicalP < 1) warpers.push(typical(typicalP, kept));
  if (epsilonCutoff > 0) warpers.push(below(kept, () => epsilonCutoff));
  if (etaCutoff > 0) {
    warpers.push(below(kept, (distribution) => {
      return Math.min(etaCutoff, Math.sqrt(etaCutoff) * Math.exp(-entropyOf(distribution)));
    }));
  }
  return warpers;
}
