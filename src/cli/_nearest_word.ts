// The known word that a mistyped one most likely stands for.
import { editDistance } from "../training/report/edit_distance.ts";

/**
 * Find the word nearest to another by edits (insert, delete, replace).
 *
 * @param word What was typed.
 * @param words What could have been meant.
 * @returns The nearest word; undefined where none begins with `word` nor is within a third of its length in edits.
 */
export function nearest(word: string, words: readonly string[]): string | undefined {
  if (word.length > 1) {
    const whole = words.find((candidate) => candidate.startsWith(word));
    if (whole) return whole;
  }
  const ranked = words
    .map((candidate) => ({ candidate, edits: editDistance([...word], [...candidate]) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)) && edits < word.length);
  return ranked.sort((a, b) => a.edits - b.edits)[0]?.candidate;
}
