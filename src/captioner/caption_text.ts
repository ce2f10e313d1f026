// From the rows of tokens that `generate` gives to texts, and from these to captions, which say how sure the model was.
import type { GenerateOutput } from "../generation/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import type { Caption } from "./caption_options.ts";
import { type Confidence, confidenceOf } from "./confidence.ts";
import { isRepeating } from "./repetition.ts";

/** A caption of which it is not said yet how sure the model was. */
export interface CaptionText extends Omit<Caption, keyof Confidence> {
  /** Where in `ids` the new tokens begin, after the prompt. */
  readonly from: number;
  /** Which of `ids` are decoded. */
  readonly decoded: readonly [begin: number, end: number];
  /** How sure the model was of each new token, if asked for. */
  readonly confidences?: readonly number[];
}

/** How rows are read. */
export interface DecodingSettings {
  readonly tokenizer: Pick<Tokenizer, "decode" | "cleansUpSpaces">;
  /** Whether the prompt was given as a text, which is not repeated. */
  readonly worded: boolean;
  /** The tokens that end a text. */
  readonly ends: readonly number[];
  readonly skipSpecialTokens: boolean;
}

/** What a row of tokens says. */
export function captionTextOf(
  { sequences, promptLengths, lengths, truncated, sequencesScores, confidences }: GenerateOutput,
  row: number,
  { tokenizer, worded, ends, skipSpecialTokens }: DecodingSettings,
): CaptionText {
  const ids = sequences[row].slice(0, lengths[row]);
  const from = promptLengths[row];
  const last = ids.length > from && ends.includes(ids[ids.length - 1]) ? ids.length - 1 : ids.length;
  // What was not written by the model, and its end, is no part of a text with all its tokens.
  const decoded = skipSpecialTokens ? [worded ? from : 0, ids.length] as const : [from, last] as const;
  return {
    text: tokenizer.decode(ids.slice(...decoded), { skipSpecialTokens }),
    ids,
    truncated: truncated[row],
    repetition: isRepeating(ids.slice(from, last)),
    ...(sequencesScores && { score: sequencesScores[row] }),
    ...(confidences && { confidences: confidences[row] }),
    from,
    decoded,
  };
}

/** The caption of a text that was written with confidences. */
export function captionOf(
  { from, decoded: [begin, end], confidences = [], ...caption }: CaptionText,
  { tokenizer, skipSpecialTokens = true }: { tokenizer: Pick<Tokenizer, "decode">; skipSpecialTokens?: boolean },
): Caption {
  const before = caption.ids.slice(begin, from);
  const ids = caption.ids.slice(from, from + confidences.length);
  const decoded = Math.min(ids.length, end - from);
  return { ...caption, ...confidenceOf({ tokenizer, before, ids, decoded, confidences, skipSpecialTokens }) };
}
