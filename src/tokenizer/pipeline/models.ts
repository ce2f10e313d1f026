// The models of a tokenizer.json: functions from a word to token ids. Those but BPE are loaded when a file names them; WordPiece
// is that of npm @huggingface/tokenizers.
import { bytePairs } from "./byte_pairs.ts";
import { type Component, type Fail, lookUp } from "../files/definition.ts";
import { unknown, Vocabulary } from "./vocabulary.ts";

/** A vocabulary and how a word is cut into its tokens. */
export interface Model {
  readonly vocabulary: Vocabulary;
  /** The ids of a word's tokens. */
  encode(word: string): readonly number[];
}

/**
 * Make a model.
 *
 * @param part A tokenizer.json's `model`, checked.
 * @param fail Throws the error for a type that does not exist or a malformed setting.
 */
export async function makeModel(part: Component, fail: Fail): Promise<Model> {
  const make = lookUp(types, part, "model", fail);
  const vocabulary = new Vocabulary(part.vocab as ConstructorParameters<typeof Vocabulary>[0]);
  return { vocabulary, encode: cached(await make(part, vocabulary, fail)) };
}

type Encode = (word: string) => number[];

type MakesEncode = (part: Component, vocabulary: Vocabulary, fail: Fail) => Encode | Promise<Encode>;

const types: Readonly<Record<string, MakesEncode>> = {
  BPE: bytePairs,
  Unigram: async (part, vocabulary) => (await import("./unigram.ts")).unigram(part, vocabulary),
  WordLevel: ({ unk_token }, vocabulary) => (word) => [
    vocabulary.id(word) ?? vocabulary.id(unk_token as string) ?? unknown(word),
  ],
  WordPiece: wordPiece,
};

/** Keep the ids of words, within bounds, since words repeat. */
function cached(encode: Encode): Encode {
  const kept = new Map<string, number[]>();
  return (word) => {
    const known = kept.get(word);
    if (known) return known;
    const ids = encode(word);
    if (word.length > 64) return ids;
    if (kept.size >= 1 << 15) kept.clear();
    kept.set(word, ids);
    return ids;
  };
}

async function wordPiece(part: Component, vocabulary: Vocabulary): Promise<Encode> {
  const { WordPiece } = await import("../../packages/huggingface_tokenizers.ts");
  const { unk_token = "[UNK]", continuing_subword_prefix = "##", max_input_chars_per_word = 100 } = part;
  const settings = { ...part, unk_token, continuing_subword_prefix, max_input_chars_per_word };
  const model = new WordPiece(settings as unknown as ConstructorParameters<typeof WordPiece>[0]);
  return (word) => model.encode([word]).map((token) => vocabulary.id(token) ?? unknown(word));
}
