// Writing a tokenizer's files as Transformers reads them.
import { writeJson, writeText } from "../hub/write_json.ts";
import { contentOf, roles } from "./files/tokenizer_settings.ts";
import type { CreateTokenizerOptions } from "./create_tokenizer.ts";
import type { TokenizerDefinition } from "./files/definition.ts";

/**
 * Write tokenizer.json and tokenizer_config.json, or vocab.txt for a class that is written in Python, which does not read tokenizer.json.
 *
 * @param folder Where to; it is made if it is missing.
 */
export async function saveTokenizer(
  folder: string | URL,
  definition: TokenizerDefinition,
  createdWith: CreateTokenizerOptions,
): Promise<void> {
  if (!createdWith.inPython) {
    await writeJson(folder, "tokenizer.json", definition);
    return await writeJson(folder, "tokenizer_config.json", configOf(createdWith));
  }
  const lines = Object.entries(definition.model.vocab as Record<string, number>).sort(([, a], [, b]) => a - b);
  await writeText(folder, "vocab.txt", lines.map(([token]) => `${token}\n`).join(""));
  const numbers = definition.added_tokens.map(({ id, ...token }) => [String(id), token]);
  const added_tokens_decoder = Object.fromEntries(numbers);
  await writeJson(folder, "tokenizer_config.json", { ...configOf(createdWith), added_tokens_decoder });
}

/** tokenizer_config.json's content: the options, with the special tokens that followed from them. */
function configOf({ settings, className }: CreateTokenizerOptions): Record<string, unknown> {
  const { options, special, extra, listed, paddingSide, truncationSide } = settings;
  const { added_tokens_decoder: _, additional_special_tokens: __, extra_special_tokens: ___, ...config } = options;
  const texts = [...special].map(([key, token]) => [key, contentOf(token)] as const);
  const isRole = ([key]: readonly [string, string]): boolean => roles.some((role) => key === `${role}_token`);
  const own = texts.filter((text) => !isRole(text));
  const others = [...new Set([...extra.map(contentOf), ...listed])];
  return {
    ...config,
    ...Object.fromEntries(texts.filter(isRole)),
    ...(own.length > 0 ? { model_specific_special_tokens: Object.fromEntries(own) } : {}),
    ...(others.length > 0 ? { extra_special_tokens: others } : {}),
    padding_side: paddingSide,
    truncation_side: truncationSide,
    tokenizer_class: className,
  };
}
