// The known word that a mistyped one most likely stands for.

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
    .map((candidate) => ({ candidate, edits: editDistance(word, candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)) && edits < word.length);
  return ranked.sort((a, b) => a.edits - b.edits)[0]?.candidate;
}

// Levenshtein's distance, one row of the table at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
