// BertJapaneseTokenizer (manga-ocr) from vocab.txt. MeCab's and Sudachi's words need a dictionary, but their single
// characters do not: the class is put in terms of a tokenizer.json here, which Transformers has none of.
import { ConfigError } from "../errors.ts";
import type { Json } from "./_settings.ts";
import type { ClassOptions, TokenizerClass } from "./classes.ts";
import type { Component } from "./definition.ts";

export const bertJapanese: TokenizerClass = {
  model: "WordPiece",
  special: { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" },
  parts: (_, { options, token }: ClassOptions) => ({
    ...wordsAndPieces(options),
    // Tokens are joined by spaces and nothing is taken out.
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: { unk_token: token("unk"), continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
  }),
  around: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
};

function wordsAndPieces(options: Json): { normalizer: Component; pre_tokenizer: Component } {
  const words = options.do_word_tokenize === false ? "none" : options.word_tokenizer_type ?? "basic";
  const pieces = options.do_subword_tokenize === false ? "none" : options.subword_tokenizer_type ?? "wordpiece";
  const lowercase = options.do_lower_case === true;
  if (pieces === "character" && (words === "basic" || words === "mecab")) {
    const remove = (Regex: string): Component => ({ type: "Replace", pattern: { Regex }, content: "" });
    const nfkc = { type: "NFKC" };
    const normalizers = words === "mecab"
      // MeCab ends at NUL and passes over its four spaces.
      ? [nfkc, remove("\\x00[\\s\\S]*$"), remove("[\\t\\n\\x0b ]")]
      : [remove("(?![\\t\\n\\r])\\p{C}|\\x{fffd}"), remove("\\p{Z}|[\\t\\n\\r]"), nfkc];
    return {
      normalizer: { type: "Sequence", normalizers: [...normalizers, ...(lowercase ? [{ type: "Lowercase" }] : [])] },
      pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
    };
  }
  if (pieces === "wordpiece" && words === "basic") {
    const bert = {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: false,
      strip_accents: null,
      lowercase,
    };
    return {
      normalizer: { type: "Sequence", normalizers: [bert, { type: "NFC" }] },
      pre_tokenizer: { type: "BertPreTokenizer" },
    };
  }
  throw new ConfigError(
    `Could not build a BertJapaneseTokenizer: word_tokenizer_type is "${words}" with subword_tokenizer_type "${pieces}", ` +
      'and "basic" or "mecab" with "character", or "basic" with "wordpiece" were expected',
    "word_tokenizer_type",
  );
}
