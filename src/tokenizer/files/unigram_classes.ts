// Transformers' classes with a Unigram vocabulary, and the order that each gives to the pieces of a SentencePiece model.
import { addedToken, type Component } from "./definition.ts";
import {
  bertTokens,
  type ClassOptions,
  type ClassVocabulary,
  metaspace,
  type Piece,
  sentenceTokens,
  sequence,
  type TokenizerClass,
} from "./tokenizer_class.ts";
import { contentOf, type Json, type Role, type SpecialToken } from "./tokenizer_settings.ts";

const unscored = (tokens: readonly string[]): Piece[] => tokens.map((token) => [token, 0]);

const precompiled = ({ characterMap }: ClassVocabulary): Component | null =>
  characterMap ? { type: "Precompiled", precompiled_charsmap: characterMap } : null;

const words = (scheme?: string): Component =>
  sequence("pretokenizers", [{ type: "WhitespaceSplit" }, metaspace(scheme)]);

export const xlmRoberta: TokenizerClass = {
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
  surroundingTokens: ({ token }) => ({ before: [token("bos")], after: [token("eos")] }),
  fromPieces: (pieces, token) => [...fairseq(pieces, token), [token("mask"), 0]],
};

/** fairseq's order of ids: `<s>`, `<pad>`, `</s>`, `<unk>`, then SentencePiece's pieces after its own three. */
function fairseq(pieces: readonly Piece[], token: ClassOptions["token"], first: Role = "bos"): Piece[] {
  return [...unscored([token(first), token("pad"), token("eos"), token("unk")]), ...pieces.slice(3)];
}

export const camembert: TokenizerClass = {
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
export const mbart: TokenizerClass = {
  model: "Unigram",
  special: languageTokens,
  extra: ({ own, given = [] }) => own ?? [...languages, ...without(given, languages)],
  parts: () => ({ pre_tokenizer: words(), decoder: metaspace(), model: { unk_id: 3, byte_fallback: false } }),
  surroundingTokens: ({ options, token }) => ({
    before: [],
    after: [token("eos"), options.src_lang as string ?? "en_XX"],
  }),
  fromPieces: (pieces, token) => [...fairseq(pieces, token), ...unscored([...languages, token("mask")])],
};

const mbart50Languages = [...languages, ...moreLanguages];

/** A text begins with its language: `en_XX`, and `</s>` after it. */
export const mbart50: TokenizerClass = {
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
  surroundingTokens: ({ options, token }) => ({
    before: [options.src_lang as string ?? "en_XX"],
    after: [token("eos")],
  }),
  fromPieces: (pieces, token) => [
    ...fairseq(pieces, token, "cls"),
    ...unscored([...mbart50Languages, token("mask")]),
  ],
};

const sentinels = (options: Json): string[] =>
  Array.from({ length: options.extra_ids as number ?? 100 }, (_, i) => `<extra_id_${i}>`);

export const t5: TokenizerClass = {
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
  surroundingTokens: () => ({ before: [], after: ["</s>"] }),
  fromPieces: (pieces, _, options) => [...pieces, ...unscored(sentinels(options).reverse())],
};

const cleanSpaces: Component = sequence("normalizers", [
  { type: "Replace", pattern: { Regex: String.raw`\s{2,}|[\n\r\t]` }, content: " " },
  { type: "NFC" },
  { type: "Strip", strip_left: false, strip_right: true },
]);

/** Transformers uses neither SentencePiece's ids nor its character map here: 3 is unknown, whatever it is in the model. */
export const barthez: TokenizerClass = {
  model: "Unigram",
  special: { ...sentenceTokens, mask: addedToken({ content: "<mask>", lstrip: true }) },
  parts: (_, { options }) => {
    const scheme = options.add_prefix_space ?? true ? "always" : "never";
    return {
      normalizer: cleanSpaces,
      pre_tokenizer: metaspace(scheme),
      decoder: metaspace(scheme),
      model: { unk_id: 3, byte_fallback: false },
    };
  },
  fromPieces: (pieces) => [...pieces],
};

export const debertaV2: TokenizerClass = {
  model: "Unigram",
  special: { ...bertTokens, bos: "[CLS]", eos: "[SEP]" },
  parts: ({ vocab }, { options, token }) => {
    const scheme = options.add_prefix_space ?? true ? "always" : "first";
    const unscoredAt = (vocab as readonly Piece[]).findIndex(([piece, score]) => piece === token("unk") && score === 0);
    return {
      normalizer: {
        ...cleanSpaces,
        normalizers: [
          ...(options.do_lower_case ? [{ type: "Lowercase" }] : []),
          ...cleanSpaces.normalizers as Component[],
        ],
      },
      pre_tokenizer: sequence("pretokenizers", [
        ...(options.split_by_punct ? [{ type: "Punctuation", behavior: "Isolated" }] : []),
        metaspace(scheme),
      ]),
      decoder: metaspace(scheme),
      model: { unk_id: unscoredAt >= 0 ? unscoredAt : options.unk_id ?? 1, byte_fallback: false },
    };
  },
  surroundingTokens: ({ token }) => ({ before: [token("cls")], after: [token("sep")] }),
  fromPieces: (pieces) => [...pieces],
};

/** A text ends with `<sep><cls>`. */
export const xlnet: TokenizerClass = {
  model: "Unigram",
  special: {
    ...sentenceTokens,
    sep: "<sep>",
    cls: "<cls>",
    mask: addedToken({ content: "<mask>", lstrip: true }),
  },
  extra: ({ own, given = ["<eop>", "<eod>"] }) => own ?? given,
  paddingSide: "left",
  parts: (source, { options }) => {
    const map = precompiled(source);
    const quote = (String: string): Component => ({ type: "Replace", pattern: { String }, content: '"' });
    return {
      normalizer: sequence("normalizers", [
        ...["``", "''"].map(quote),
        { type: "NFKD" },
        { type: "StripAccents" },
        ...(options.do_lower_case ? [{ type: "Lowercase" }] : []),
        ...(map ? [map] : []),
      ]),
      pre_tokenizer: words(),
      decoder: metaspace(),
      model: { unk_id: options.unk_id ?? 0, byte_fallback: false },
    };
  },
  surroundingTokens: ({ token }) => ({ before: [], after: [token("sep"), token("cls")] }),
  fromPieces: (pieces) => [...pieces],
};
