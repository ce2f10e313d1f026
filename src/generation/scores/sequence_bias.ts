// SequenceBiasLogitsProcessor, and NoBadWordsLogitsProcessor for words of several tokens. On the host only.
import type { GenerationSettings } from "../request/settings.ts";
import type { LogitsProcessor } from "./logits_processor.ts";

/** Adds a bias to the last token of sequences that the row has begun. */
export function sequenceBias(biases: readonly (readonly [readonly number[], number])[]): LogitsProcessor {
  // Of a sequence that is given twice the last bias counts.
  const distinct = new Map(biases.map(([sequence, bias]) => [sequence.join(), [sequence, bias] as const]));
  return (tokens, scores) => {
    const added = new Map<number, number>();
    for (const [sequence, bias] of distinct.values()) {
      const last = sequence.length - 1;
      const from = tokens.length - last;
      if (from < 0 || sequence.some((id, i) => i < last && id !== tokens[from + i])) continue;
      added.set(sequence[last], (added.get(sequence[last]) ?? 0) + bias);
    }
    for (const [id, bias] of added) scores[id] += bias;
  };
}

/** Whether a bad word is an end token, which none can be. */
const isEnd = (word: readonly number[], ends: readonly number[]): boolean =>
  word.length === 1 && ends.includes(word[0]);

/** The sequences of tokens that may not occur: end tokens may. */
export function badWordsOf({ badWordsIds, eosTokenIds }: GenerationSettings): (readonly number[])[] {
  return badWordsIds.filter((word) => !isEnd(word, eosTokenIds));
}
