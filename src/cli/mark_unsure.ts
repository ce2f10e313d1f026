// Words of which the model was less sure than asked for.
import type { WrittenWord } from "../captioner/confidence.ts";

/** What stands after a word that is marked. */
const mark = "(?)";

/** The words of which the model was less sure than `least`. */
export function unsureOf(words: readonly WrittenWord[], least: number): string[] {
  return words.filter(({ confidence }) => confidence < least).map(({ text }) => text);
}

/** A text with a mark after each word of which the model was less sure than `least`. */
export function markUnsure(text: string, words: readonly WrittenWord[], least: number): string {
  let marked = "";
  let at = 0;
  for (const { text: word, confidence } of words) {
    const end = text.indexOf(word, at) + word.length;
    marked += text.slice(at, end) + (confidence < least ? mark : "");
    at = end;
  }
  return marked + text.slice(at);
}
