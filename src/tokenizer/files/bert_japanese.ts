// BertJapaneseTokenizer (manga-ocr) from vocab.txt. MeCab's and Sudachi's words need a dictionary, but their single
// characters do not: this file expresses the class as a tokenizer.json, which Transformers does not have for it.
import { ConfigError } from "../../errors/mod.ts";
import type { Json } from "./tokenizer_settings.ts";
import type { ClassOptions, TokenizerClass } from "./tokenizer_class.ts";
import type { Component } from "./definition.ts";

/** The class, which is Python's own, not built on the Rust library. */
export const bertJapanese: TokenizerClass = {
  model: "WordPiece",
  inPython: true,
  special: { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" },
  parts: (_, { options, token }: ClassOptions) => ({
    ...wordsAndPieces(options),
    // Tokens are joined by spaces, and no space is removed.
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: { unk_token: token("unk"), continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
  }),
  surroundingTokens: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
};

const replace = (Regex: string, content = ""): Component => ({ type: "Replace", pattern: { Regex }, content });
const [nfc, nfd, nfkc] = ["NFC", "NFD", "NFKC"].map((type): Component => ({ type }));
const lower: Component = { type: "Lowercase", final_sigma: true };

/** BasicTokenizer's normalising: control characters are removed, and with `lowercase` capitals and accents too. */
const basic = (lowercase: boolean): Component[] => [
  replace("(?![\\t\\n\\r])\\p{C}|\\x{fffd}"),
  nfc,
  ...(lowercase ? [lower, nfd, replace("\\p{Mn}")] : []),
];

function wordsAndPieces(options: Json): { normalizer: Component; pre_tokenizer: Component } {
  const words = options.do_word_tokenize === false ? "none" : options.word_tokenizer_type ?? "basic";
  const pieces = options.do_subword_tokenize === false ? "none" : options.subword_tokenizer_type ?? "wordpiece";
  const lowercase = options.do_lower_case === true;
  const sequence = (normalizers: Component[]): Component => ({ type: "Sequence", normalizers });
  if (pieces === "character" && (words === "basic" || words === "mecab")) {
    const normalizers = words === "mecab"
      // MeCab stops at NUL and skips the four characters that it takes for spaces.
      ? [nfkc, replace("\\x00[\\s\\S]*$"), replace("[\\t\\n\\x0b ]"), ...(lowercase ? [lower] : [])]
      // Words are normalised one by one, so a private-use character separates them until that is done.
      : [...basic(lowercase), replace("\\p{Z}|[\\t\\n\\r]", "\ue000"), nfkc, replace("\\x{e000}")];
    const pre_tokenizer = { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false };
    return { normalizer: sequence(normalizers), pre_tokenizer };
  }
  if (pieces === "wordpiece" && words === "basic") {
    return { normalizer: sequence(basic(lowercase)), pre_tokenizer: { type: "BertPreTokenizer" } };
  }
  throw new ConfigError(
    `Cannot build a BertJapaneseTokenizer: word_tokenizer_type is "${words}" with subword_tokenizer_type "${pieces}", ` +
      'and "basic" or "mecab" with "character", or "basic" with "wordpiece" were expected',
    "word_tokenizer_type",
  );
}
