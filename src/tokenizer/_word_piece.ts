// BERT's WordPiece and BertJapanese's characters (manga-ocr) from vocab.txt, as Transformers' classes build them.
import { ConfigError } from "../errors.ts";
import type { Component, Role } from "./definition.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * Build a tokenizer.json's content from vocab.txt.
 *
 * @param text vocab.txt: a token a line, ids from 0.
 * @param config tokenizer_config.json's content.
 * @param special The special tokens' texts by role.
 * @param tokenizerClass Transformers' class.
 * @throws {ConfigError} If it is BertJapanese and needs a dictionary to find words.
 */
export function wordPieceDefinition(
  text: string,
  config: Json,
  special: Readonly<Partial<Record<Role, string>>>,
  tokenizerClass: string,
): unknown {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  const japanese = tokenizerClass === "BertJapaneseTokenizer";
  const { normalizer, pre_tokenizer } = japanese ? japaneseParts(config) : bertParts(config);
  const { cls = "[CLS]", sep = "[SEP]", unk = "[UNK]" } = special;
  const token = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id = 0) => ({ Sequence: { id, type_id } });
  const single = [token(cls), sequence("A"), token(sep)];
  return {
    version: "1.0",
    added_tokens: [],
    normalizer,
    pre_tokenizer,
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), token(sep, 1)],
      special_tokens: Object.fromEntries([cls, sep].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }])),
    },
    // BertJapanese joins its tokens by spaces and takes nothing out.
    decoder: { type: "WordPiece", prefix: "##", cleanup: !japanese },
    model: {
      type: "WordPiece",
      unk_token: unk,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

interface Parts {
  readonly normalizer: Component;
  readonly pre_tokenizer: Component;
}

function bertParts(config: Json): Parts {
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars !== false,
      strip_accents: config.strip_accents ?? null,
      lowercase: config.do_lower_case !== false,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
  };
}

/** Words and their pieces by rules; MeCab's and Sudachi's words need a dictionary, but single characters do not. */
function japaneseParts(config: Json): Parts {
  const words = config.do_word_tokenize === false ? "none" : config.word_tokenizer_type ?? "basic";
  const pieces = config.do_subword_tokenize === false ? "none" : config.subword_tokenizer_type ?? "wordpiece";
  const lowercase = config.do_lower_case === true;
  if (pieces === "character" && (words === "basic" || words === "mecab")) {
    const remove = (pattern: string) => ({ type: "Replace", pattern: { Regex: pattern }, content: "" });
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
    const { normalizer, pre_tokenizer } = bertParts({ tokenize_chinese_chars: false, do_lower_case: lowercase });
    return { normalizer: { type: "Sequence", normalizers: [normalizer, { type: "NFC" }] }, pre_tokenizer };
  }
  throw new ConfigError(
    `Could not build a BertJapaneseTokenizer: word_tokenizer_type is "${words}" with subword_tokenizer_type "${pieces}", ` +
      'and "basic" or "mecab" with "character", or "basic" with "wordpiece" were expected',
    "word_tokenizer_type",
  );
}
