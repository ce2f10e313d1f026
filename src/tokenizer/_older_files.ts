// A tokenizer.json made in memory of the files that came before it: vocab.json with merges.txt, vocab.txt, or a
// SentencePiece model.
import { HubError } from "../errors.ts";
import { byteLevelDefinition, guessByteLevelClass } from "./_byte_level.ts";
import { readSentencePiece, sentencePieceDefinition } from "./_sentence_piece.ts";
import { wordPieceDefinition } from "./_word_piece.ts";
import type { TokenizerFiles } from "./tokenizer_files.ts";
import type { TokenizerSettings } from "./definition.ts";

/** A tokenizer.json's content before it is checked, the file it comes from, and its settings. */
export interface BuiltDefinition {
  readonly content: unknown;
  readonly name: string;
  readonly settings: TokenizerSettings;
}

/**
 * Build a tokenizer.json's content from older files.
 *
 * @param files The repository.
 * @param settingsFor The tokenizer's settings, given the class that the files point to.
 * @throws {HubError} If the repository has no vocabulary at all.
 * @throws {FormatError} If a file is malformed.
 */
export async function fromOlderFiles(
  files: TokenizerFiles,
  settingsFor: (fallbackClass: string) => TokenizerSettings,
): Promise<BuiltDefinition> {
  for (const file of ["sentencepiece.bpe.model", "sentencepiece.model", "spiece.model"]) {
    const bytes = await files.readBytes?.(file);
    if (!bytes) continue;
    const name = `${files.name}/${file}`;
    const settings = settingsFor("XLMRobertaTokenizer");
    const model = readSentencePiece(bytes, name);
    const content = sentencePieceDefinition(model, settings.config, settings.specialTokens, settings.tokenizerClass!);
    return { content, name, settings };
  }
  const [vocabulary, merges, words] = await Promise.all(
    ["vocab.json", "merges.txt", "vocab.txt"].map((file) => files.readText(file)),
  );
  if (vocabulary !== undefined && merges !== undefined) {
    const name = `${files.name}/vocab.json`;
    const settings = settingsFor(guessByteLevelClass(vocabulary));
    const source = { vocabulary, merges, name };
    const content = byteLevelDefinition(source, settings.config, settings.tokenizerClass!, settings.specialTokens);
    return { content, name, settings };
  }
  if (words !== undefined) {
    const settings = settingsFor("BertTokenizer");
    const content = wordPieceDefinition(words, settings.config, settings.specialTokens, settings.tokenizerClass!);
    return { content, name: `${files.name}/vocab.txt`, settings };
  }
  throw new HubError(
    `Could not load a tokenizer from ${files.name}: it has no tokenizer.json, and none of vocab.json with merges.txt, ` +
      "vocab.txt and sentencepiece.bpe.model either",
  );
}
