// Cutting a text by a pattern in the Rust library's five ways (tokenizers, SplitDelimiterBehavior).

/** What becomes of the places that the pattern matches. */
export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

interface Piece {
  text: string;
  readonly matched: boolean;
}

/**
 * Cut a text by a pattern.
 *
 * @param text The text.
 * @param pattern A global regular expression.
 * @param behavior What becomes of the matches.
 * @param invert Whether what does not match counts as the match.
 * @returns The pieces, none of them empty.
 */
export function splitText(text: string, pattern: RegExp, behavior: SplitBehavior, invert = false): string[] {
  const pieces: Piece[] = [];
  const add = (from: number, to: number, matched: boolean): void => {
    if (to > from) pieces.push({ text: text.slice(from, to), matched: matched !== invert });
  };
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "") continue;
    add(end, match.index, false);
    end = match.index + match[0].length;
    add(match.index, end, true);
  }
  add(end, text.length, false);
  if (behavior === "Removed") return pieces.filter(({ matched }) => !matched).map((piece) => piece.text);
  if (behavior === "Isolated") return pieces.map((piece) => piece.text);
  const backwards = behavior === "MergedWithNext";
  if (backwards) pieces.reverse();
  const merged: string[] = [];
  pieces.forEach((piece, i) => {
    const before = i > 0 && pieces[i - 1].matched;
    const joins = i > 0 && (behavior === "Contiguous" ? before === piece.matched : piece.matched && !before);
    if (!joins) merged.push(piece.text);
    else merged.push(backwards ? piece.text + merged.pop()! : merged.pop()! + piece.text);
  });
  return backwards ? merged.reverse() : merged;
}
