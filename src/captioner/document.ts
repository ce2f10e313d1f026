// A document's text as an object, as those who made the models read it: Donut's tags as JSON, Nougat's Markdown as text.
import { OptionError } from "../errors/mod.ts";
import type { ProcessorSettings } from "../image/mod.ts";
import { postProcessGeneration, type PostProcessOptions } from "./nougat/post_process_generation.ts";
import { type TaggedObject, token2json } from "./token2json.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";

/** What a document holds: the fields of Donut's tags, or `text`, the Markdown of Nougat. */
export type Document = TaggedObject | TaggedObject[];

/** Whether a model's documents are Markdown, Nougat's, by its image processor. */
function writesMarkdown(type: ProcessorSettings["type"]): boolean {
  return type === "NougatImageProcessor";
}

/** Check that options about Markdown have an effect. @throws {OptionError} If the model's documents are fields. */
export function checkDocumentOptions(type: ProcessorSettings["type"], { fixMarkdown }: PostProcessOptions): void {
  if (fixMarkdown === undefined || writesMarkdown(type)) return;
  throw new OptionError(
    "Cannot read the document with the option fixMarkdown: this model's documents are fields, expected Nougat's Markdown",
  );
}

/**
 * Read a document of its tokens, as Donut's authors do: without end and fill, and without the first tag, the task's.
 *
 * @param ids The tokens, prompt and all.
 * @param type The image processor, by which Nougat is known.
 * @param options How Nougat's text is mended.
 */
export function documentOf(
  ids: readonly number[],
  tokenizer: Tokenizer,
  type: ProcessorSettings["type"],
  options: PostProcessOptions = {},
): Document {
  if (writesMarkdown(type)) {
    return { text: postProcessGeneration(tokenizer.decode(ids, { skipSpecialTokens: true }), options) };
  }
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
