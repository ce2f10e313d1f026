// The files that a class's vocabulary can be read from: tokenizer.json, or the older files that a repository without one has.
import { ConfigError, FormatError, HubError } from "../../errors/mod.ts";
import { whyMissing } from "../../hub/network/absent_files.ts";
import { isRecord, parseJson } from "../../hub/read_json.ts";
import { readSentencePiece, type SentencePieceModel } from "./sentence_piece.ts";
import type { Json } from "./tokenizer_settings.ts";
import type { ClassOptions, ClassVocabulary, TokenizerClass } from "./tokenizer_class.ts";
import { type AddedToken, addedToken, type Component } from "./definition.ts";
import type { TokenizerFiles } from "./tokenizer_files.ts";

/** A vocabulary that was read from files, but is not yet in the order of a class's ids. */
export interface VocabularyFile {
  /** What messages call it. */
  readonly name: string;
  /** The class to build where no file names one. */
  readonly fallbackClass: string;
  /** The control and user-defined pieces of a SentencePiece model. */
  readonly pieces?: readonly AddedToken[];
  /** The vocabulary in the form that a class takes. */
  vocabularyFor(tokenizerClass: TokenizerClass, className: string, given: ClassOptions): ClassVocabulary;
}

/** The names of SentencePiece models, and the class that writes each. */
const sentencePieceFiles = [
  ["sentencepiece.bpe.model", "XLMRobertaTokenizer"],
  ["sentencepiece.model", "XLMRobertaTokenizer"],
  ["spiece.model", "XLMRobertaTokenizer"],
  ["tokenizer.model", "LlamaTokenizer"],
  ["spm.model", "DebertaV2Tokenizer"],
] as const;

/**
 * Read the vocabulary of a repository that has no tokenizer.json.
 *
 * @param files The repository.
 * @throws {HubError} If it has no vocabulary at all.
 * @throws {FormatError} If a file is malformed.
 */
export async function readVocabularyFile(files: TokenizerFiles): Promise<VocabularyFile> {
  for (const [file, fallbackClass] of sentencePieceFiles) {
    const bytes = await files.readBytes?.(file);
    const name = `${files.name}/${file}`;
    if (bytes) return sentencePieceFile(readSentencePiece(bytes, name), name, fallbackClass);
  }
  const [vocab, merges, words] = await Promise.all(
    ["vocab.json", "merges.txt", "vocab.txt"].map((file) => files.readText(file)),
  );
  if (vocab !== undefined && merges !== undefined) return bytePairFiles(vocab, merges, `${files.name}/vocab.json`);
  if (words !== undefined) return wordPieceFile(words, `${files.name}/vocab.txt`);
  throw new HubError(
    `Cannot load a tokenizer from ${files.name}: it has no tokenizer.json, and none of vocab.json with merges.txt, ` +
      `vocab.txt, ${sentencePieceFiles.map(([file]) => file).join(", ")} either${
        whyMissing(files, ["tokenizer.json"])
      }`,
  );
}

/** A vocabulary in a tokenizer.json, for a class that builds the rest itself. */
export function vocabularyOfTokenizerJson(content: Json, name: string): VocabularyFile {
  return {
    name,
    fallbackClass: "TokenizersBackend",
    vocabularyFor({ model: type }, className) {
      const { vocab, merges } = content.model as Component;
      if (Array.isArray(vocab) !== (type === "Unigram") || type === "BPE" && !Array.isArray(merges)) {
        throw new FormatError(
          `Cannot load tokenizer ${name}: its model is of type ${JSON.stringify((content.model as Json).type)}, and ` +
            `${className} takes one of type ${type}`,
          { file: name, key: "model.type" },
        );
      }
      return {
        vocab: vocab as ClassVocabulary["vocab"],
        merges: merges as ClassVocabulary["merges"],
        characterMap: characterMapOf(content.normalizer as Component | null),
        postProcessor: content.post_processor as Component | null,
      };
    },
  };
}

/** The character map of a normaliser, if it is one or holds one. */
function characterMapOf(normalizer: Component | null): string | undefined {
  const parts = normalizer?.type === "Sequence" ? normalizer.normalizers as Component[] : [normalizer];
  return parts.find((part) => part?.type === "Precompiled")?.precompiled_charsmap as string | undefined;
}

function bytePairFiles(vocabulary: string, merges: string, name: string): VocabularyFile {
  const content = parseJson(vocabulary, name);
  const vocab = (isRecord(content) ? content : {}) as Record<string, number>; // an empty one is refused where it is checked
  // RoBERTa's vocabulary has `<s>` and `</s>`.
  const fallbackClass = Object.hasOwn(vocab, "<s>") && Object.hasOwn(vocab, "</s>")
    ? "RobertaTokenizer"
    : "GPT2Tokenizer";
  const lines = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const vocabularyFor = forModelsOf("BPE", { vocab, merges: lines }, name);
  return { name, fallbackClass, vocabularyFor };
}

function wordPieceFile(text: string, name: string): VocabularyFile {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token.replace(/\p{White_Space}+$/u, ""), id]));
  return { name, fallbackClass: "BertTokenizer", vocabularyFor: forModelsOf("WordPiece", { vocab }, name) };
}

/** A vocabulary for classes of one type of model; others cannot use it. */
function forModelsOf(
  type: TokenizerClass["model"],
  source: ClassVocabulary,
  name: string,
): VocabularyFile["vocabularyFor"] {
  return ({ model }, className) => {
    if (model === type) return source;
    throw new ConfigError(
      `Cannot build a ${className} from ${name}: the file is of a ${type} model, and the class takes one of type ${model}`,
      "tokenizer_class",
    );
  };
}

function sentencePieceFile(model: SentencePieceModel, name: string, fallbackClass: string): VocabularyFile {
  const [control, userDefined] = [3, 4]; // kinds in sentencepiece_model.proto
  const added = model.pieces.filter(({ kind }) => kind === control || kind === userDefined);
  const pieces = model.pieces.map(({ text, score }) => [text, score] as const);
  return {
    name,
    fallbackClass,
    pieces: added.map(({ text, kind }) => addedToken({ content: text, normalized: false, special: kind === control })),
    vocabularyFor({ fromPieces, model: type }, className, { token, options }) {
      // As in Transformers, a Unigram class takes the pieces and scores of a BPE model too.
      if (!fromPieces) {
        throw new ConfigError(
          `Cannot build a ${className} from ${name}: the class does not take a SentencePiece model`,
          "tokenizer_class",
        );
      }
      const vocab = fromPieces(pieces, token, options);
      if (type === "BPE") return mergesFromPieces(vocab);
      return { vocab, characterMap: base64(model.characterMap), unkId: model.unkId };
    },
  };
}

/** BPE's merges for pieces in the order of their ids: every two pieces that join to a third, those of the lowest id first. */
function mergesFromPieces(pieces: readonly (readonly [string, number])[]): ClassVocabulary {
  const ids = new Map(pieces.map(([piece], id) => [piece, id]));
  const merges: { readonly pair: readonly [string, string]; readonly order: readonly number[] }[] = [];
  for (const [piece, id] of ids) {
    const characters = [...piece];
    for (let at = 1; at < characters.length; at++) {
      const pair = [characters.slice(0, at).join(""), characters.slice(at).join("")] as const;
      if (pair.every((part) => ids.has(part))) merges.push({ pair, order: [id, at, characters.length - at] });
    }
  }
  const earlier = (a: readonly number[], b: readonly number[]) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
  merges.sort((a, b) => earlier(a.order, b.order));
  return { vocab: Object.fromEntries(ids), merges: merges.map(({ pair }) => pair) };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
