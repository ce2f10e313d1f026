// Transformers' classes with a WordPiece or a BPE vocabulary: BERT's, GPT-2's, RoBERTa's, Nougat's, HerBERT's and Llama's.
import type { Component } from "./definition.ts";
import { bertTokens, metaspace, sentenceTokens, sequence, type TokenizerClass } from "./tokenizer_class.ts";

export const bert: TokenizerClass = {
  model: "WordPiece",
  special: bertTokens,
  parts: (_, { options, token }) => ({
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: options.tokenize_chinese_chars ?? true,
      strip_accents: options.strip_accents ?? null,
      lowercase: options.do_lower_case ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { unk_token: token("unk"), continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
  }),
  surroundingTokens: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
};

const byteLevel: Component = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
const bytePairs = {
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: "",
  end_of_word_suffix: "",
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

export const gpt2: TokenizerClass = {
  model: "BPE",
  special: { bos: "<|endoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>" },
  parts: (_, { options }) => ({
    pre_tokenizer: { ...byteLevel, add_prefix_space: options.add_prefix_space ?? false },
    decoder: byteLevel,
    model: bytePairs,
  }),
};

export const roberta: TokenizerClass = {
  ...gpt2,
  special: sentenceTokens,
  surroundingTokens: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
};

/** The patterns are plain strings here, not regular expressions, as they are in Transformers' class. */
export const nougat: TokenizerClass = {
  model: "BPE",
  special: { unk: "<unk>", bos: "<s>", eos: "</s>", pad: "<pad>" },
  parts: () => {
    const split = (pattern: string, behavior: string): Component => ({
      type: "Split",
      pattern: { String: pattern },
      behavior,
      invert: false,
    });
    return {
      normalizer: { type: "NFKC" },
      pre_tokenizer: sequence("pretokenizers", [
        split("SPL1T-TH1S-Pl3A5E", "Removed"),
        { type: "Digits", individual_digits: true },
        split(String.raw`[\(\)\[\]\{\}]|([!\"#\$%\&'\*\+,\-\./:;<=>\?\\\^_${"`"}\|\~])\1*`, "Isolated"),
        split("\n", "Isolated"),
        { ...byteLevel, add_prefix_space: false },
      ]),
      decoder: byteLevel,
      model: bytePairs,
    };
  },
  surroundingTokens: ({ token }) => ({ before: [token("bos")], after: [token("eos")] }),
};

/** The ids of the special tokens before and after a text are fixed in the class, whatever ids the vocabulary has for them. */
export const herbert: TokenizerClass = {
  model: "BPE",
  special: { cls: "<s>", unk: "<unk>", pad: "<pad>", mask: "<mask>", sep: "</s>" },
  parts: (_, { token }) => ({
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: false,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "BPEDecoder", suffix: "</w>" },
    model: { ...bytePairs, unk_token: token("unk"), continuing_subword_prefix: null, end_of_word_suffix: "</w>" },
    post_processor: { type: "BertProcessing", sep: [token("sep"), 2], cls: [token("cls"), 0] },
  }),
};

export const llama: TokenizerClass = {
  model: "BPE",
  special: { unk: "<unk>", bos: "<s>", eos: "</s>" },
  paddingSide: "left",
  parts: (_, { options }) => {
    const prefix = options.add_prefix_space ?? true;
    const scheme = !prefix ? "never" : options.legacy ? "always" : "first";
    return {
      pre_tokenizer: { ...metaspace(scheme), split: false },
      decoder: sequence("decoders", [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ]),
      model: {
        ...bytePairs,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: true,
        byte_fallback: true,
      },
    };
  },
  fromPieces: (pieces) => [...pieces],
};
