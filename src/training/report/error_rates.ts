// How far texts are from what they should be, over all of them together, as jiwer computes it.
import { ShapeError } from "../../errors/mod.ts";
import { editDistance } from "./edit_distance.ts";

/** Shares of what is wrong or right. */
export interface ErrorRates {
  /** Edits of characters over the characters of the right texts; above 1 where more is written than was to be. */
  readonly characterErrorRate: number;
  /** Edits of words over the words of the right texts. */
  readonly wordErrorRate: number;
  /** The share of texts without an error. */
  readonly exactMatch: number;
}

/**
 * Compare texts with the right ones. A character is a code point; spaces at both ends do not count. Words are what spaces
 * part, runs of white space being one (jiwer 4's `cer` and `wer`).
 *
 * @param references The right texts.
 * @param hypotheses What was written, one for each.
 * @returns Shares over the whole of the texts, so that long ones count more; 0 edits of nothing are 0, and Infinity if
 * there are any.
 * @throws {ShapeError} If there are not as many.
 */
export function errorRates(references: readonly string[], hypotheses: readonly string[]): ErrorRates {
  if (references.length !== hypotheses.length || references.length === 0) {
    throw new ShapeError(
      `Cannot compare ${hypotheses.length} texts with ${references.length} right ones: expected one for each, and some`,
    );
  }
  const share = (split: (text: string) => readonly string[]): number => {
    let [edits, length] = [0, 0];
    references.forEach((reference, i) => {
      const right = split(reference);
      edits += editDistance(right, split(hypotheses[i]));
      length += right.length;
    });
    return edits === 0 ? 0 : edits / length;
  };
  const exact = references.filter((reference, i) => strip(reference) === strip(hypotheses[i])).length;
  return {
    characterErrorRate: share(charactersOf),
    wordErrorRate: share(wordsOf),
    exactMatch: exact / references.length,
  };
}

const charactersOf = (text: string): string[] => Array.from(strip(text));
const wordsOf = (text: string): string[] => strip(text.replace(runs, " ")).split(" ").filter((word) => word !== "");

/** What Python's `str.strip` and `\s` take for white space; JavaScript's has U+FEFF and lacks U+001C to U+001F and U+0085. */
const white = "[\\t-\\r\\u001c- \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const runs = new RegExp(`${white}{2,}`, "gu");
const ends = new RegExp(`^${white}+|${white}+$`, "gu");

/** A text without the white space at its ends, as Python strips it. */
function strip(text: string): string {
  return text.replace(ends, "");
}
