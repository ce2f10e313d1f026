// A SentencePiece model (sentencepiece.bpe.model) read with a small protobuf reader, and turned into a tokenizer.json as
// Transformers does for XLM-R and mBART, whose ids are fairseq's: <s>, <pad>, </s>, <unk>, then the pieces from the third.
// The fields are those of sentencepiece_model.proto.
import { ConfigError, FormatError } from "../errors.ts";
import type { Role } from "./definition.ts";

/** A piece's kind in sentencepiece_model.proto. */
const userDefined = 4;

/** What is read of a SentencePiece model. */
export interface SentencePieceModel {
  /** Pieces with their scores and kinds (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte). */
  readonly pieces: readonly { readonly text: string; readonly score: number; readonly kind: number }[];
  /** 1 Unigram, 2 BPE, 3 word, 4 character. */
  readonly modelType: number;
  readonly characterMap: Uint8Array;
}

/** Calls `visit` with each field of a protobuf message: a number for varints and 32 bits, bytes for strings and messages. */
function readFields(
  bytes: Uint8Array,
  fail: (what: string) => never,
  visit: (field: number, value: Uint8Array | number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      if (factor > 2 ** 63) fail("a number has more than ten bytes");
    }
    return fail("it ends within a number");
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (wire === 0) visit(field, varint());
    else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) fail(`field ${field} has ${length} bytes, but ${bytes.length - at} are left`);
      visit(field, bytes.subarray(at, at += length));
    } else if (wire === 1 || wire === 5) {
      const length = wire === 5 ? 4 : 8;
      if (at + length > bytes.length) fail(`it ends within field ${field}`);
      visit(field, wire === 5 ? view.getFloat32(at, true) : view.getFloat64(at, true));
      at += length;
    } else fail(`field ${field} has wire type ${wire}, which does not exist`);
  }
}

/**
 * Read a SentencePiece model.
 *
 * @param bytes The file.
 * @param name What messages call it.
 * @throws {FormatError} If it is no such model.
 */
export function readSentencePiece(bytes: Uint8Array, name: string): SentencePieceModel {
  const fail = (what: string): never => {
    throw new FormatError(`Could not read SentencePiece model ${name}: ${what}`, { file: name });
  };
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const pieces: SentencePieceModel["pieces"][number][] = [];
  let modelType = 1;
  let characterMap: Uint8Array = new Uint8Array();
  const message = (value: Uint8Array | number, visit: (field: number, value: Uint8Array | number) => void): void =>
    value instanceof Uint8Array ? readFields(value, fail, visit) : fail("a message is stored as a number");
  readFields(bytes, fail, (field, value) => {
    if (field === 1) {
      const piece = { text: "", score: 0, kind: 1 };
      message(value, (inner, part) => {
        try {
          if (inner === 1) piece.text = utf8.decode(part as Uint8Array);
        } catch {
          fail(`piece ${pieces.length} is not UTF-8`);
        }
        if (inner === 2) piece.score = part as number;
        if (inner === 3) piece.kind = part as number;
      });
      pieces.push(piece);
    } else if (field === 2) {
      message(value, (inner, part) => {
        if (inner === 3) modelType = part as number;
      });
    } else if (field === 3) {
      message(value, (inner, part) => {
        if (inner === 2 && part instanceof Uint8Array) characterMap = part;
      });
    }
  });
  if (pieces.length < 3) fail(`it has ${pieces.length} pieces, and at least 3 were expected`);
  return { pieces, modelType, characterMap };
}

const languages = "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV " +
  "my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN";

/**
 * Build a tokenizer.json's content from a SentencePiece model.
 *
 * @param model The model.
 * @param config tokenizer_config.json's content.
 * @param special The special tokens' texts by role.
 * @param tokenizerClass Transformers' class.
 * @throws {ConfigError} If the class is another than XLM-R's and mBART's, or the model is not Unigram.
 */
export function sentencePieceDefinition(
  model: SentencePieceModel,
  config: Readonly<Record<string, unknown>>,
  special: Readonly<Partial<Record<Role, string>>>,
  tokenizerClass: string,
): unknown {
  const mbart = tokenizerClass === "MBartTokenizer";
  if (!mbart && tokenizerClass !== "XLMRobertaTokenizer") {
    throw new ConfigError(
      `Could not build a ${tokenizerClass} from a SentencePiece model: XLMRobertaTokenizer and MBartTokenizer are known; ` +
        "another needs a tokenizer.json",
      "tokenizer_class",
    );
  }
  if (model.modelType !== 1) {
    throw new ConfigError(
      `Could not build a ${tokenizerClass}: its SentencePiece model is of type ${model.modelType}, and Unigram (1) was expected`,
    );
  }
  const { bos = "<s>", eos = "</s>", unk = "<unk>", pad = "<pad>", mask = "<mask>" } = special;
  const codes = mbart ? languages.split(" ") : [];
  const vocab: [string, number][] = [
    ...[bos, pad, eos, unk].map((token): [string, number] => [token, 0]),
    ...model.pieces.slice(3).map(({ text, score }): [string, number] => [text, score]),
    ...[...codes, mask].map((token): [string, number] => [token, 0]),
  ];
  const scheme = config.add_prefix_space === false && !mbart ? "never" : "always";
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: true };
  const language = (config.src_lang as string | undefined) ?? "en_XX";
  const ends = mbart ? [eos, language] : [eos];
  const around = mbart ? [language, eos] : [bos, eos];
  const idOf = (token: string): number => vocab.findIndex(([text]) => text === token);
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const before = mbart ? [] : [token(bos)];
  const after = ends.map(token);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = model.pieces.map((piece, index) => ({ ...piece, id: index < 3 ? -1 : index + 1 }))
    .filter(({ kind, id }) => kind === userDefined && id >= 0)
    .map(({ text, id }) => ({ ...flags, id, content: text, special: false }));
  return {
    version: "1.0",
    added_tokens: [...added, ...codes.map((code) => ({ ...flags, id: idOf(code), content: code, special: true }))],
    // mBART's class has no normaliser.
    normalizer: mbart || model.characterMap.length === 0
      ? null
      : { type: "Precompiled", precompiled_charsmap: base64(model.characterMap) },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] },
    post_processor: {
      type: "TemplateProcessing",
      single: [...before, text("A"), ...after],
      pair: mbart
        ? [text("A"), text("B"), ...after]
        : [...before, text("A"), token(eos), token(eos), text("B"), token(eos)],
      special_tokens: Object.fromEntries(around.map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
    },
    decoder: metaspace,
    model: { type: "Unigram", unk_id: 3, vocab, byte_fallback: false },
  };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
