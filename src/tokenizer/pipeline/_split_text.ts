// Cutting a text by a pattern in the Rust library's five ways (tokenizers, SplitDelimiterBehavior).

/** What happens to the parts of a text that the pattern matches. */
export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

interface Piece {
  readonly text: string;
  readonly matched: boolean;
}

/**
 * Cut a text by a pattern.
 *
 * @param text The text.
 * @param pattern A string, or a global regular expression; an empty match cuts the text too.
 * @param behavior What happens to the matches.
 * @param invert Whether what does not match counts as the match.
 * @returns The pieces, none of them empty.
 */
export function splitText(text: string, pattern: string | RegExp, behavior: SplitBehavior, invert = false): string[] {
  const pieces = cut(text, pattern, invert);
  if (behavior === "Removed") return texts(pieces.filter(({ matched }) => !matched));
  if (behavior === "Isolated") return texts(pieces);
  const backwards = behavior === "MergedWithNext";
  if (backwards) pieces.reverse();
  const merged: Piece[] = [];
  pieces.forEach((piece, i) => {
    const before = i > 0 && pieces[i - 1].matched;
    const joins = i > 0 && (behavior === "Contiguous" ? before === piece.matched : piece.matched && !before);
    if (!joins) merged.push(piece);
    else {
      const last = merged.pop()!.text;
      merged.push({ text: backwards ? piece.text + last : last + piece.text, matched: false });
    }
  });
  return texts(backwards ? merged.reverse() : merged);
}

function cut(text: string, pattern: string | RegExp, invert: boolean): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  const add = (to: number, matched: boolean): void => {
    pieces.push({ text: text.slice(end, to), matched: matched !== invert });
    end = to;
  };
  const take = (from: number, length: number): void => {
    if (from > end) add(from, false);
    add(from + length, true);
  };
  if (typeof pattern === "string") {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, end)) take(at, pattern.length);
  } else {
    for (const match of text.matchAll(pattern)) {
      const repeats = match[0] === "" && match.index === end && pieces.length > 0;
      if (!repeats) take(match.index, match[0].length);
    }
  }
  if (end < text.length) add(text.length, false);
  return pieces;
}

function texts(pieces: readonly Piece[]): string[] {
  return pieces.filter(({ text }) => text !== "").map(({ text }) => text);
}
