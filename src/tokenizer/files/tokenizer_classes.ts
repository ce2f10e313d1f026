// What Transformers' tokenizer classes make of their files. Version 5 takes of a tokenizer.json no more than the vocabulary,
// the merges and the character map where the class is one of these; all else follows from the class and its options.
import { contentOf, type Json, type Role, type SettingsDefaults, type SpecialToken } from "./tokenizer_settings.ts";
import { addedToken, type Component } from "./definition.ts";

/** A vocabulary as a class takes it, from whichever files. */
export interface Source {
  /** Tokens with their ids, or Unigram's pieces with their scores in the order of their ids. */
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  /** What BPE merges, first to last. */
  readonly merges?: readonly unknown[];
  /** SentencePiece's character map, as base64. */
  readonly characterMap?: string;
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
  /** All but the model's vocabulary and what is put around a text. */
  readonly parts: (source: Source, given: ClassOptions) => {
    readonly normalizer?: Component | null;
    readonly pre_tokenizer: Component;
    readonly decoder: Component;
    readonly model?: Json;
  };
  /** Which tokens are put around a text, by their texts; without it a tokenizer.json's own are. */
  readonly around?: (given: ClassOptions) => { readonly before: readonly string[]; readonly after: readonly string[] };
  /** The pieces of a SentencePiece model in the order of this class's ids. */
  readonly fromPieces?: (pieces: readonly Piece[], token: ClassOptions["token"], options: Json) => Piece[];
}

type Piece = readonly [string, number];

const sequence = (key: string, parts: readonly Component[]): Component => ({ type: "Sequence", [key]: parts });
const metaspace = (scheme = "always"): Component => ({
  type: "Metaspace",
  replacement: "▁",
  prepend_scheme: scheme,
  split: true,
});
const unscored = (tokens: readonly string[]): Piece[] => tokens.map((token) => [token, 0]);

const bertTokens = { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" };

const bert: TokenizerClass = {
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
  around: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
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

const gpt2: TokenizerClass = {
  model: "BPE",
  special: { bos: "<|endoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>" },
  parts: (_, { options }) => ({
    pre_tokenizer: { ...byteLevel, add_prefix_space: options.add_prefix_space ?? false },
    decoder: byteLevel,
    model: bytePairs,
  }),
};

const sentenceTokens = {
  bos: "<s>",
  eos: "</s>",
  sep: "</s>",
  cls: "<s>",
  unk: "<unk>",
  pad: "<pad>",
  mask: "<mask>" as SpecialToken,
};

const roberta: TokenizerClass = {
  ...gpt2,
  special: sentenceTokens,
  around: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
};

/** The patterns are texts here, not regular expressions: so Transformers' class has them. */
const nougat: TokenizerClass = {
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
  around: ({ token }) => ({ before: [token("bos")], after: [token("eos")] }),
};

const precompiled = ({ characterMap }: Source): Component | null =>
  characterMap ? { type: "Precompiled", precompiled_charsmap: characterMap } : null;

const words = (scheme?: string): Component =>
  sequence("pretokenizers", [{ type: "WhitespaceSplit" }, metaspace(scheme)]);

const xlmRoberta: TokenizerClass = {
  model: "Unigram",
  special: sentenceTokens,
  parts: (source, { options }) => {
    const scheme = options.add_prefix_space ?? true ? "always" : "never";
    return {
      normalizer: precompiled(source),
      pre_tokenizer: words(scheme),
      decoder: metaspace(scheme),
      model: { unk_id: 3, byte_fallback: false },
    };
  },
  around: ({ token }) => ({ before: [token("bos")], after: [token("eos")] }),
  fromPieces: (pieces, token) => [...fairseq(pieces, token), [token("mask"), 0]],
};

/** fairseq's order of ids: `<s>`, `<pad>`, `</s>`, `<unk>`, then SentencePiece's pieces after its own three. */
function fairseq(pieces: readonly Piece[], token: ClassOptions["token"], first: Role = "bos"): Piece[] {
  return [...unscored([token(first), token("pad"), token("eos"), token("unk")]), ...pieces.slice(3)];
}

const camembert: TokenizerClass = {
  ...xlmRoberta,
  special: { ...sentenceTokens, mask: addedToken({ content: "<mask>", lstrip: true, special: true }) },
  extra: ({ own, given = ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"] }) => own ?? given,
  parts: (source, given) => {
    const unk_id = (source.vocab as readonly Piece[]).findIndex(([piece]) => piece === given.token("unk"));
    return { ...xlmRoberta.parts(source, given), model: { unk_id: Math.max(0, unk_id), byte_fallback: false } };
  },
  fromPieces: (pieces, token) => [
    ...unscored(["<s>NOTUSED", token("pad"), "</s>NOTUSED", token("unk")]),
    ["<unk>NOTUSED", -100],
    ...pieces.slice(1),
    [token("mask"), 0],
  ],
};

const languages = ("ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV " +
  "my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN").split(" ");
const moreLanguages = ("af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF " +
  "pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI").split(" ");
const languageTokens = { ...sentenceTokens, mask: addedToken({ content: "<mask>", lstrip: true }) };
const without = (tokens: readonly SpecialToken[], others: readonly SpecialToken[]): SpecialToken[] => {
  const known = new Set(others.map(contentOf));
  return tokens.filter((token) => !known.has(contentOf(token)));
};

/** A text ends with its language: `</s> en_XX`. */
const mbart: TokenizerClass = {
  model: "Unigram",
  special: languageTokens,
  extra: ({ own, given = [] }) => own ?? [...languages, ...without(given, languages)],
  parts: () => ({ pre_tokenizer: words(), decoder: metaspace(), model: { unk_id: 3, byte_fallback: false } }),
  around: ({ options, token }) => ({ before: [], after: [token("eos"), options.src_lang as string ?? "en_XX"] }),
  fromPieces: (pieces, token) => [...fairseq(pieces, token), ...unscored([...languages, token("mask")])],
};

const mbart50Languages = [...languages, ...moreLanguages];

/** A text begins with its language: `en_XX`, and `</s>` after it. */
const mbart50: TokenizerClass = {
  model: "Unigram",
  special: { ...languageTokens, bos: undefined },
  extra: ({ own, given = [] }) => own ?? [...given, ...without(mbart50Languages, given)],
  listed: mbart50Languages,
  parts: (source) => {
    const spaces = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };
    const map = precompiled(source);
    return {
      normalizer: sequence("normalizers", map ? [map, spaces] : [spaces]),
      pre_tokenizer: metaspace(),
      decoder: metaspace(),
      model: { unk_id: 3, byte_fallback: false },
    };
  },
  around: ({ options, token }) => ({ before: [options.src_lang as string ?? "en_XX"], after: [token("eos")] }),
  fromPieces: (pieces, token) => [
    ...fairseq(pieces, token, "cls"),
    ...unscored([...mbart50Languages, token("mask")]),
  ],
};

const sentinels = (options: Json): string[] =>
  Array.from({ length: options.extra_ids as number ?? 100 }, (_, i) => `<extra_id_${i}>`);

const t5: TokenizerClass = {
  model: "Unigram",
  special: { eos: "</s>", unk: "<unk>", pad: "<pad>" },
  extra: ({ own, given = [], options }) => {
    const has = given.some((token) => contentOf(token).includes("<extra_id_"));
    return own ?? (has ? given : [...given, ...sentinels(options)]);
  },
  parts: (source) => ({
    normalizer: precompiled(source),
    pre_tokenizer: words(),
    decoder: metaspace(),
    model: { unk_id: 2, byte_fallback: false },
  }),
  around: () => ({ before: [], after: ["</s>"] }),
  fromPieces: (pieces, _, options) => [...pieces, ...unscored(sentinels(options).reverse())],
};

/** Transformers' classes by name; several names stand for the same one. */
export const tokenizerClasses: Readonly<Record<string, TokenizerClass>> = {
  BartTokenizer: roberta,
  BertTokenizer: bert,
  CamembertTokenizer: camembert,
  DistilBertTokenizer: bert,
  ElectraTokenizer: bert,
  GPT2Tokenizer: gpt2,
  LayoutLMTokenizer: bert,
  LEDTokenizer: roberta,
  LongformerTokenizer: roberta,
  LxmertTokenizer: bert,
  MBart50Tokenizer: mbart50,
  MBartTokenizer: mbart,
  MobileBertTokenizer: bert,
  MvpTokenizer: roberta,
  NougatTokenizer: nougat,
  RobertaTokenizer: roberta,
  SqueezeBertTokenizer: bert,
  T5Tokenizer: t5,
  XLMRobertaTokenizer: xlmRoberta,
};

/** The class of a model's type, which counts where no file names a class. */
export const classOfModel: Readonly<Record<string, string>> = {
  bart: "RobertaTokenizer",
  bert: "BertTokenizer",
  camembert: "CamembertTokenizer",
  distilbert: "BertTokenizer",
  electra: "BertTokenizer",
  gpt2: "GPT2Tokenizer",
  mbart: "MBartTokenizer",
  roberta: "RobertaTokenizer",
  t5: "T5Tokenizer",
  trocr: "XLMRobertaTokenizer",
  "xlm-roberta": "XLMRobertaTokenizer",
};
