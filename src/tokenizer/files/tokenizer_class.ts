// The description of a tokenizer class of Transformers, how it makes a tokenizer from a vocabulary, and what several classes
// share.
import type { Json, Role, SettingsDefaults, SpecialToken } from "./tokenizer_settings.ts";
import type { Component } from "./definition.ts";

/** A vocabulary in the form that a class takes, whichever files it was read from. */
export interface ClassVocabulary {
  /** Tokens with their ids, or Unigram's pieces with their scores in the order of their ids. */
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  /** BPE's merges, first to last. */
  readonly merges?: readonly unknown[];
  /** SentencePiece's character map, as base64. */
  readonly characterMap?: string;
  /** The id of a SentencePiece model's unknown piece, which is used as the option `unk_id`. */
  readonly unkId?: number;
  /** tokenizer.json's post-processor. */
  readonly postProcessor?: Component | null;
}

/** What a class is built with. */
export interface ClassOptions {
  /** tokenizer_config.json's settings. */
  readonly options: Json;
  /** The text of a special token. */
  readonly token: (role: Role) => string;
}

/** One of Transformers' classes. */
export interface TokenizerClass extends SettingsDefaults {
  readonly model: "BPE" | "Unigram" | "WordPiece";
  /** Whether the class is Transformers' own, in Python: added tokens keep their ids, and unknown ids are unknown tokens. */
  readonly inPython?: boolean;
  /** Whether the whole tokenizer.json is used, and not its vocabulary only. */
  readonly takesWholeFile?: boolean;
  /** The parts of the tokenizer.json, without the model's vocabulary and the special tokens around a text. */
  readonly parts: (source: ClassVocabulary, given: ClassOptions) => {
    readonly normalizer?: Component | null;
    readonly pre_tokenizer: Component;
    readonly decoder: Component;
    readonly model?: Json;
    readonly post_processor?: Component;
  };
  /** The special tokens before and after a text; without it those of a tokenizer.json's post-processor. */
  readonly surroundingTokens?: (
    given: ClassOptions,
  ) => { readonly before: readonly string[]; readonly after: readonly string[] };
  /** The pieces of a SentencePiece model in the order of this class's ids. */
  readonly fromPieces?: (pieces: readonly Piece[], token: ClassOptions["token"], options: Json) => Piece[];
}

/** A SentencePiece piece with its score. */
export type Piece = readonly [string, number];

/** Components one after the other; `key` is the name of their list in a component of that kind. */
export const sequence = (key: string, parts: readonly Component[]): Component => ({ type: "Sequence", [key]: parts });

/** SentencePiece's mark for a space. */
export const metaspace = (scheme = "always"): Component => ({
  type: "Metaspace",
  replacement: "▁",
  prepend_scheme: scheme,
  split: true,
});

/** BERT's special tokens by their roles. */
export const bertTokens = { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" };

/** fairseq's special tokens by their roles. */
export const sentenceTokens = {
  bos: "<s>",
  eos: "</s>",
  sep: "</s>",
  cls: "<s>",
  unk: "<unk>",
  pad: "<pad>",
  mask: "<mask>" as SpecialToken,
};
