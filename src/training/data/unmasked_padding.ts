// Labels that are filled with the pad token where -100 was meant: a model would learn to write it, and the loss would be a
// mean over what nobody reads. Rows of labels look alike with either, so it is found by how they end.
import { OptionError } from "../../errors/mod.ts";
import { ignoredLabel } from "./labels.ts";

/** The tokens that fill and end labels. */
export interface EndOfLabels {
  /** `config.pad_token_id`; undefined where it is not set. */
  readonly pad?: number;
  /** The tokens that end a text. */
  readonly ends: readonly number[];
}

/** The pad tokens at the end of a row that can be no part of its text. */
function paddingOf(row: readonly number[], { pad, ends }: EndOfLabels): number {
  const counted = row.findLastIndex((id) => id !== ignoredLabel);
  const last = row.findLastIndex((id, t) => t <= counted && id !== pad);
  const pads = counted - last;
  // Where pad and end are one token, as with GPT-2, the first of them ends the text.
  if (pad !== undefined && ends.includes(pad)) return Math.max(0, pads - 1);
  return pads >= 2 || pads === 1 && ends.includes(row[last]) ? pads : 0;
}

/**
 * Check that no row of labels is filled with the pad token: that it does not end in two or more of them, or in one after a
 * token that ends a text.
 *
 * @throws {OptionError} If one is.
 */
export function checkPadding(rows: readonly (readonly number[])[], tokens: EndOfLabels): void {
  rows.forEach((row, b) => {
    const pads = paddingOf(row, tokens);
    if (pads === 0) return;
    const which = pads > 1 ? `${pads} pad tokens` : "a pad token";
    throw new OptionError(
      `Cannot train on the labels: row ${b} ends in ${which} (config.pad_token_id is ${tokens.pad}), which a model would ` +
        `learn to write; fill rows with ${ignoredLabel}, which is not counted, or create the trainer with ` +
        "countPadding: true",
    );
  });
}
