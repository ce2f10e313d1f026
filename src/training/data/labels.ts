// Texts as the ids that a model learns to write: those of the tokenizer, the end token last. What fills shorter rows is
// -100 by its place, not by its id: where pad and end are one token, as with GPT-2, the end token still counts.
import { OptionError } from "../../errors/mod.ts";
import { Tensor } from "../../tensor/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";

/** How texts become labels. */
export interface LabelOptions {
  /**
   * Whether the tokenizer's own start and end tokens are put around a text. A model that writes no start token after the
   * one it is given, such as the embedded model or Donut, learns labels without; the end token is added all the same.
   * @default true
   */
  readonly addSpecialTokens?: boolean;
  /** The token that ends a text. @default the tokenizer's end token, else its separator */
  readonly endTokenId?: number;
}

/** The label of a position that does not count in the loss. */
export const ignoredLabel = -100;

/**
 * The token that ends labels.
 *
 * @throws {OptionError} If the tokenizer has none and none is given.
 */
export function endTokenOf(tokenizer: Tokenizer, { endTokenId }: LabelOptions): number {
  const end = endTokenId ?? tokenizer.eosTokenId ?? tokenizer.sepTokenId;
  if (end !== undefined) return end;
  throw new OptionError(
    "Cannot make labels: the tokenizer has no end token, without which a model never learns to stop; option endTokenId " +
      "names one",
  );
}

/** The labels of a text: its ids, the end token last. */
export function encodeLabels(tokenizer: Tokenizer, text: string, options: LabelOptions): Int32Array {
  const end = endTokenOf(tokenizer, options);
  const { inputIds } = tokenizer.encode(text, { addSpecialTokens: options.addSpecialTokens ?? true });
  return Int32Array.from(inputIds.at(-1) === end ? inputIds : [...inputIds, end]);
}

/**
 * Rows of labels as one tensor.
 *
 * @param length The length of all rows; shorter ones are filled with -100.
 * @returns int64, [rows, length].
 */
export function labelTensor(rows: readonly Int32Array[], length: number): Tensor {
  const data = new BigInt64Array(rows.length * length).fill(BigInt(ignoredLabel));
  rows.forEach((row, b) => row.forEach((id, t) => data[b * length + t] = BigInt(id)));
  return new Tensor("int64", [rows.length, length], data);
}
