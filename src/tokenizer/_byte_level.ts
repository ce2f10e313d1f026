// Byte-level BPE (GPT-2, RoBERTa, BART) from vocab.json and merges.txt, as Transformers' classes build it.
import type { Component } from "./definition.ts";
import { parseJson } from "./_parse_json.ts";

/** Classes that put `<s>` and `</s>` around a text. */
const robertaLike = ["RobertaTokenizer", "BartTokenizer"];

/** What the older files of a byte-level tokenizer hold. */
export interface ByteLevelFiles {
  readonly vocabulary: string;
  readonly merges: string;
  /** What messages call vocab.json. */
  readonly name: string;
}

/**
 * Build a tokenizer.json's content from vocab.json and merges.txt.
 *
 * @param files The files' texts.
 * @param tokenizerClass Transformers' class; where it is unknown the vocabulary decides between RoBERTa and GPT-2.
 * @param config tokenizer_config.json's content.
 * @param special The special tokens' texts by role.
 * @returns The content and the class that it is.
 * @throws {FormatError} If vocab.json is not JSON.
 */
export function byteLevelDefinition(
  files: ByteLevelFiles,
  config: Readonly<Record<string, unknown>>,
  tokenizerClass: string,
  special: Readonly<Partial<Record<string, string>>>,
): unknown {
  const vocab = parseJson(files.vocabulary, files.name) as Record<string, number>;
  const merges = files.merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
  const prefix = config.add_prefix_space === true;
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: prefix },
    post_processor: robertaLike.includes(tokenizerClass) ? aroundText(vocab, special, prefix) : null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges,
    },
  };
}

function aroundText(
  vocab: Record<string, number>,
  special: Readonly<Partial<Record<string, string>>>,
  prefix: boolean,
): Component {
  const [cls = "<s>", sep = "</s>"] = [special.cls, special.sep];
  return {
    type: "RobertaProcessing",
    sep: [sep, vocab[sep]],
    cls: [cls, vocab[cls]],
    trim_offsets: true,
    add_prefix_space: prefix,
  };
}

/** The class that a vocabulary is of, where no file says it: RoBERTa's knows `<s>` and `</s>`. */
export function guessByteLevelClass(vocabulary: string): string {
  return vocabulary.includes('"<s>"') && vocabulary.includes('"</s>"') ? "RobertaTokenizer" : "GPT2Tokenizer";
}
