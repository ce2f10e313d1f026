// A document's text as an object, as those who made the models read it: Donut's tags as JSON, Nougat's Markdown as text.
import type { ProcessorSettings } from "../image/mod.ts";
import { type TaggedObject, token2json } from "./token2json.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";

/** What a document holds: the fields of Donut's tags, or `text`, the Markdown of Nougat. */
export type Document = TaggedObject | TaggedObject[];

/**
 * Read a document of its tokens, as Donut's authors do: without end and fill, and without the first tag, the task's.
 *
 * @param ids The tokens, prompt and all.
 * @param type The image processor, which tells Nougat.
 */
export function documentOf(
  ids: readonly number[],
  tokenizer: Tokenizer,
  type: ProcessorSettings["type"],
): Document {
  if (type === "NougatImageProcessor") return { text: tokenizer.decode(ids, { skipSpecialTokens: true }).trim() };
  let text = tokenizer.decode(ids);
  for (const id of [tokenizer.eosTokenId, tokenizer.padTokenId]) {
    const token = id === undefined ? undefined : tokenizer.idToToken(id);
    if (token) text = text.replaceAll(token, "");
  }
  const fields = text.replace(/<.*?>/, "").trim();
  return token2json(fields, { addedTokens: categoriesIn(fields, tokenizer) });
}

/** The tokens of the form `<name/>` in a text: others of that form are a leaf's text. */
function categoriesIn(text: string, tokenizer: Tokenizer): string[] {
  return (text.match(/<[^<>]*\/>/g) ?? []).filter((token) => tokenizer.tokenToId(token) !== undefined);
}
