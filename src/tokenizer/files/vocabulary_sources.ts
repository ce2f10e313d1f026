// Where a class's vocabulary comes from: tokenizer.json, or the files that came before it.
import { ConfigError, FormatError, HubError } from "../../errors/mod.ts";
import { whyMissing } from "../../hub/network/absent_files.ts";
import { parseJson } from "../../hub/read_json.ts";
import { readSentencePiece, type SentencePieceModel } from "./sentence_piece.ts";
import type { Json } from "./tokenizer_settings.ts";
import type { ClassOptions, Source, TokenizerClass } from "./tokenizer_class.ts";
import { type AddedToken, addedToken, type Component } from "./definition.ts";
import type { TokenizerFiles } from "./tokenizer_files.ts";

/** A vocabulary's file, read but not yet in a class's order. */
export interface VocabularyFile {
  /** What messages call it. */
  readonly name: string;
  /** The class that such a file is of, where nothing says it. */
  readonly fallbackClass: string;
  /** Control and user-defined pieces, which a SentencePiece model has. */
  readonly pieces?: readonly AddedToken[];
  /** Its vocabulary for a class. */
  source(tokenizerClass: TokenizerClass, className: string, given: ClassOptions): Source;
}

/** What SentencePiece models are called, and the class that writes one of that name. */
const sentencePieceFiles = [
  ["sentencepiece.bpe.model", "XLMRobertaTokenizer"],
  ["sentencepiece.model", "XLMRobertaTokenizer"],
  ["spiece.model", "XLMRobertaTokenizer"],
  ["tokenizer.model", "LlamaTokenizer"],
  ["spm.model", "DebertaV2Tokenizer"],
] as const;

/**
 * Find the vocabulary of a repository that has no tokenizer.json.
 *
 * @param files The repository.
 * @throws {HubError} If it has no vocabulary at all.
 * @throws {FormatError} If a file is malformed.
 */
export async function olderVocabulary(files: TokenizerFiles): Promise<VocabularyFile> {
  for (const [file, fallbackClass] of sentencePieceFiles) {
    const bytes = await files.readBytes?.(file);
    const name = `${files.name}/${file}`;
    if (bytes) return sentencePieceFile(readSentencePiece(bytes, name), name, fallbackClass);
  }
  const [vocab, merges, words] = await Promise.all(
    ["vocab.json", "merges.txt", "vocab.txt"].map((file) => files.readText(file)),
  );
  if (vocab !== undefined && merges !== undefined) return bytePairFiles(vocab, merges, `${files.name}/vocab.json`);
  if (words !== undefined) return wordsFile(words, `${files.name}/vocab.txt`);
  throw new HubError(
    `Could not load a tokenizer from ${files.name}: it has no tokenizer.json, and none of vocab.json with merges.txt, ` +
      `vocab.txt, ${sentencePieceFiles.map(([file]) => file).join(", ")} either${
        whyMissing(files, ["tokenizer.json"])
      }`,
  );
}

/** A vocabulary in a tokenizer.json, for a class that builds the rest itself. */
export function tokenizerJsonFile(content: Json, name: string): VocabularyFile {
  return {
    name,
    fallbackClass: "TokenizersBackend",
    source({ model: type }, className) {
      const { vocab, merges } = content.model as Component;
      if (Array.isArray(vocab) !== (type === "Unigram") || type === "BPE" && !Array.isArray(merges)) {
        throw new FormatError(
          `Could not load tokenizer ${name}: its model is of type ${
            JSON.stringify((content.model as Json).type)
          }, and ` +
            `${className} takes one of type ${type}`,
          { file: name, key: "model.type" },
        );
      }
      return {
        vocab: vocab as Source["vocab"],
        merges: merges as Source["merges"],
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
  const vocab = parseJson(vocabulary, name) as Record<string, number>;
  // RoBERTa's knows `<s>` and `</s>`.
  const fallbackClass = Object.hasOwn(vocab, "<s>") && Object.hasOwn(vocab, "</s>")
    ? "RobertaTokenizer"
    : "GPT2Tokenizer";
  const lines = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const source = only("BPE", { vocab, merges: lines }, name);
  return { name, fallbackClass, source };
}

function wordsFile(text: string, name: string): VocabularyFile {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token.replace(/\p{White_Space}+$/u, ""), id]));
  return { name, fallbackClass: "BertTokenizer", source: only("WordPiece", { vocab }, name) };
}

/** A source for classes of one model; others cannot be made of it. */
function only(type: TokenizerClass["model"], source: Source, name: string): VocabularyFile["source"] {
  return ({ model }, className) => {
    if (model === type) return source;
    throw new ConfigError(
      `Could not build a ${className} from ${name}: the file is of a ${type} model, and the class takes one of type ${model}`,
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
    source({ fromPieces, model: type }, className, { token, options }) {
      // As in Transformers, a Unigram class takes the pieces and scores of a BPE model too.
      if (!fromPieces) {
        throw new ConfigError(
          `Could not build a ${className} from ${name}: the class does not take a SentencePiece model`,
          "tokenizer_class",
        );
      }
      const vocab = fromPieces(pieces, token, options);
      if (type === "BPE") return bytePairsOf(vocab);
      return { vocab, characterMap: base64(model.characterMap), unkId: model.unkId };
    },
  };
}

/** A BPE vocabulary of pieces in the order of their ids: whatever two pieces join to a third merge, the earlier first. */
function bytePairsOf(pieces: readonly (readonly [string, number])[]): Source {
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
