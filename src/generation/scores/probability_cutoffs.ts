// MinPLogitsWarper, EpsilonLogitsWarper and EtaLogitsWarper: tokens of at least some probability, of which each has its own
// idea; at least `kept` stay. On the host only.
import { below, entropyOf, removing } from "./distribution.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** The least is a share of the likeliest token's. */
export function minP(share: number, kept: number): LogitsProcessor {
  return removing(kept, ({ probabilities: [most] }) => (probability) => probability < share * most);
}

/** The least is given. */
export const epsilonCutoff = (least: number, kept: number): LogitsProcessor => below(kept, () => least);

/** The least is given, and lower where the distribution is flat. */
export function etaCutoff(least: number, kept: number): LogitsProcessor {
  return below(kept, (distribution) => Math.min(least, Math.sqrt(least) * Math.exp(-entropyOf(distribution))));
}
