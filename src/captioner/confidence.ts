// How sure the model was of what it wrote: of each token, of the words that tokens make, and of the text.
import type { Tokenizer } from "../tokenizer/mod.ts";
import { spaceless, TextStreamer } from "./text_streamer.ts";

/** A new token, and how sure the model was of it. */
export interface WrittenToken {
  /** The token's id. */
  readonly id: number;
  /**
   * What it added to the text: the texts of all new tokens join to what was written. Empty where the token is left out of
   * the text, and where it is a part of a character that the token after it completes.
   */
  readonly text: string;
  /** From 0 to 1. */
  readonly confidence: number;
}

/** A word, and how sure the model was of it. */
export interface WrittenWord {
  /** The word, without blanks around it. */
  readonly text: string;
  /** The product of its tokens', from 0 to 1. Tokens that write only space, or nothing, are no word's. */
  readonly confidence: number;
}

/** How sure the model was. */
export interface Confidence {
  /** That of the least sure word; where there is no word, the product of all tokens'. */
  readonly confidence: number;
  /** What stands between spaces; in scripts that write none a token is a word, and so is a tag such as `<s_total>`. */
  readonly words: readonly WrittenWord[];
  /** The new tokens, the end token too. */
  readonly tokens: readonly WrittenToken[];
}

/** What {@linkcode confidenceOf} needs of a text. */
export interface ConfidenceSubject {
  readonly tokenizer: Pick<Tokenizer, "decode" | "cleansUpSpaces">;
  /** The tokens that the text begins with before the new ones. */
  readonly before: readonly number[];
  /** The new tokens. */
  readonly ids: readonly number[];
  /** How many of them are decoded: all, or all but the end token. */
  readonly decoded: number;
  /** How sure the model was of each. */
  readonly confidences: readonly number[];
  readonly skipSpecialTokens: boolean;
}

/** How sure the model was of a text. */
export function confidenceOf(subject: ConfidenceSubject): Confidence {
  const { ids, confidences, tokenizer, skipSpecialTokens } = subject;
  const texts = textsOf(subject);
  const tokens = confidences.map((confidence, i) => ({ id: ids[i], text: texts[i], confidence }));
  const words = wordsOf(tokens, (id) => tokenizer.decode([id], { skipSpecialTokens }).trim() === "");
  const confidence = words.length > 0
    ? Math.min(...words.map(({ confidence }) => confidence))
    : confidences.reduce((product, p) => product * p, 1);
  return { confidence, words, tokens };
}

/** What each of the new tokens adds to the text. */
function textsOf({ tokenizer, before, ids, decoded, skipSpecialTokens }: ConfidenceSubject): string[] {
  let piece = "";
  const streamer = new TextStreamer(tokenizer, (text) => void (piece += text), { skipSpecialTokens });
  const taken = () => {
    const text = piece;
    piece = "";
    return text;
  };
  streamer.put([before]);
  taken();
  const texts = ids.map((id, i) => {
    if (i < decoded) streamer.put([[id]]);
    return taken();
  });
  streamer.end();
  if (decoded > 0) texts[decoded - 1] += taken();
  return texts;
}

/** A token's text that is no part of a longer word: a tag of a document. */
const tag = /^<[^<>\s]+>$/;

/** The words that tokens make. @param isBlank Whether a token writes no character of a word. */
function wordsOf(tokens: readonly WrittenToken[], isBlank: (id: number) => boolean): WrittenWord[] {
  const words: { text: string; confidence: number }[] = [];
  let goesOn = false;
  // What is known of tokens whose characters come with a later one.
  let held = 1;
  for (const { id, text, confidence } of tokens) {
    if (!isBlank(id)) held *= confidence;
    if (text === "") continue;
    for (const part of text.match(/\s+|\S+/g)!) {
      const isWord = part.trim() !== "";
      const standsAlone = spaceless.test(part) || tag.test(part);
      if (isWord && goesOn && !standsAlone) {
        const last = words[words.length - 1];
        last.text += part;
        last.confidence *= held;
      } else if (isWord) words.push({ text: part, confidence: held });
      goesOn = isWord && !standsAlone;
    }
    held = 1;
  }
  return words;
}
