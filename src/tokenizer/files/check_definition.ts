// Checks of a tokenizer.json's content. The parts of the pipeline rely on them and have no checks of their own.
import { isRecord } from "../../hub/read_json.ts";
import { FormatError } from "../../errors/mod.ts";
import { defaultLimits, demand, type Limits } from "../../limits/mod.ts";
import { addedToken, type Component, type Fail, type TokenizerDefinition } from "./definition.ts";

/**
 * Make a function that throws the error for a malformed definition.
 *
 * @param file What messages call it.
 */
export function makeFail(file: string): Fail {
  return (what, key) => {
    const place = what.includes(key.split(".").at(-1)!) ? "" : ` (${key})`;
    throw new FormatError(`Cannot load tokenizer ${file}: ${what}${place}`, { file, key });
  };
}

/**
 * Check a tokenizer.json's content and fill in the parts that may be missing.
 *
 * @param value The parsed JSON.
 * @param file What messages call the file.
 * @throws {LimitError} If it has more tokens or merges than `limits.maxTokens`.
 * @throws {FormatError} If the vocabulary, the merges or an added token are malformed.
 */
export function checkDefinition(
  value: unknown,
  file: string,
  limits: Pick<Limits, "maxTokens"> = defaultLimits,
): TokenizerDefinition {
  const fail: Fail = makeFail(file);
  if (!isRecord(value)) return fail("it holds no JSON object, and one was expected", "");
  const { model, added_tokens = [] } = value;
  if (!isRecord(model)) return fail(`its model is ${JSON.stringify(model)}, and an object was expected`, "model");
  for (
    const [key, list] of [["model.vocab", model.vocab], ["model.merges", model.merges], ["added_tokens", added_tokens]]
  ) {
    const count = Array.isArray(list) ? list.length : isRecord(list) ? Object.keys(list).length : 0;
    const because = `its ${key} has ${count} entries`;
    demand(limits, "maxTokens", count, { task: `Cannot load tokenizer ${file}`, because, key: key as string });
  }
  const type = model.type ?? guessModel(model);
  if (type === "Unigram") checkPieces(model, fail);
  else checkVocabulary(model.vocab, fail);
  if (type === "BPE") checkMerges(model.merges, fail);
  const { max_input_chars_per_word: longest = 100 } = model;
  if (type === "WordPiece" && !isId(longest)) {
    const what = `its max_input_chars_per_word is ${JSON.stringify(longest)}, and a whole number was expected`;
    return fail(what, "model.max_input_chars_per_word");
  }
  if (!Array.isArray(added_tokens)) return fail("its added_tokens are no list, and one was expected", "added_tokens");
  for (const token of added_tokens) {
    if (!isRecord(token) || typeof token.content !== "string" || !isId(token.id)) {
      fail(`added token ${JSON.stringify(token)} needs a content and an id`, "added_tokens");
    }
  }
  const component = (key: string): Component | null => {
    const part = value[key] ?? null;
    if (part === null || isRecord(part) && typeof part.type === "string") return part as Component | null;
    return fail(`its ${key} is ${JSON.stringify(part)}, and an object with a type or null was expected`, key);
  };
  return {
    ...value,
    added_tokens: added_tokens.map(addedToken),
    model: { ...model, type: String(type) },
    normalizer: component("normalizer"),
    pre_tokenizer: component("pre_tokenizer"),
    post_processor: component("post_processor"),
    decoder: component("decoder"),
  };
}

/** The model's type in older files, which do not name it. */
function guessModel(model: Record<string, unknown>): string | undefined {
  if (Array.isArray(model.vocab)) return "Unigram";
  return "merges" in model ? "BPE" : "continuing_subword_prefix" in model ? "WordPiece" : undefined;
}

function checkVocabulary(vocab: unknown, fail: Fail): void {
  if (!isRecord(vocab)) return fail("its vocabulary is no JSON object, and one was expected", "model.vocab");
  const ids = Object.keys(vocab); // pairs of a million tokens and ids would be a million lists
  if (ids.length === 0) fail("its vocabulary is empty", "model.vocab");
  const taken = new Uint8Array(2 * ids.length); // almost all ids are below the number of tokens
  const others = new Set<number>();
  for (const token of ids) {
    const id = vocab[token] as number;
    if (!isId(id)) {
      fail(
        `token ${JSON.stringify(token)} has id ${JSON.stringify(id)}, and a whole number was expected`,
        "model.vocab",
      );
    }
    if (id < taken.length ? taken[id]++ : others.has(id)) fail(`two tokens have id ${id}`, "model.vocab");
    if (id >= taken.length) others.add(id);
  }
}

function checkPieces(model: Record<string, unknown>, fail: Fail): void {
  const { vocab, unk_id } = model;
  if (!Array.isArray(vocab) || vocab.length === 0) {
    return fail("its pieces are no list, or an empty one", "model.vocab");
  }
  vocab.forEach((piece, id) => {
    const right = Array.isArray(piece) && typeof piece[0] === "string" && typeof piece[1] === "number";
    if (!right) fail(`piece ${id} is ${JSON.stringify(piece)}, and a text with its score was expected`, "model.vocab");
  });
  if (unk_id != null && !(isId(unk_id) && (unk_id as number) < vocab.length)) {
    fail(
      `unk_id is ${JSON.stringify(unk_id)}, and the id of one of ${vocab.length} pieces was expected`,
      "model.unk_id",
    );
  }
}

function checkMerges(merges: unknown, fail: Fail): void {
  if (!Array.isArray(merges)) return fail("its merges are no list, and one was expected", "model.merges");
  merges.forEach((merge, index) => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === "string" && part !== "")) {
      return fail(`merge ${index} is ${JSON.stringify(merge)}, and two tokens were expected`, "model.merges");
    }
  });
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
