// The end of a page that goes round in circles (NougatTokenizer's truncate_repetitions): kept once, up to a sentence's end.

const ends = [".", "?", "!", "\n"];

function nextEnd(text: readonly string[], from: number): number | undefined {
  const at = text.findIndex((character, i) => i >= from && ends.includes(character));
  return at < 0 ? undefined : at;
}

/** The longest part, of `least` characters or more, that a text ends with twice. */
function repeatedLength(text: readonly string[], least: number): number | undefined {
  const length = text.length;
  let found: number | undefined;
  for (let count = least; count < Math.floor(length / 2); count++) {
    let i = 0;
    while (i < count && text[length - count - i - 1] === text[length - i - 1]) i++;
    if (i === count) found = count;
  }
  return found;
}

/**
 * Cut a text's repeated end.
 *
 * @param least The fewest characters that count as a repetition.
 * @default least 30
 */
export function truncateRepetitions(text: string, least = 30): string {
  const lower = [...text.toLowerCase()];
  if (lower.length < 2 * least) return text;
  const count = repeatedLength(lower, least);
  if (count === undefined) return text;
  const repeated = lower.slice(-count).join("");
  let kept = lower.length;
  while (kept >= count && lower.slice(kept - count, kept).join("") === repeated) kept -= count;
  const tail = lower.slice(kept).join("");
  // On to the end of a sentence that the repetition holds.
  const backwards = lower.toReversed();
  for (;;) {
    const end = nextEnd(lower, kept), start = nextEnd(backwards, kept);
    if (!end || !start) break; // 0 counts as none, as in Python
    const sentence = lower.slice(start, end).join("");
    kept = end + 1;
    if (tail.includes(sentence)) break;
  }
  return [...text].slice(0, kept).join("");
}
