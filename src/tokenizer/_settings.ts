// tokenizer_config.json, special_tokens_map.json and added_tokens.json brought to one form, with the special tokens that
// Transformers' tokenizer classes have by default.
import { FormatError } from "../errors.ts";
import { type AddedToken, type Role, roles, type TokenizerSettings } from "./definition.ts";

type Json = Readonly<Record<string, unknown>>;

const bert = { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" };
const sentence = { bos: "<s>", eos: "</s>", unk: "<unk>", sep: "</s>", pad: "<pad>", cls: "<s>", mask: "<mask>" };
const gpt2 = { bos: "<|endoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>" };

/** The special tokens of Transformers' classes, where a repository says nothing else. */
const classDefaults: Readonly<Record<string, Readonly<Partial<Record<Role, string>>>>> = {
  BertTokenizer: bert,
  BertJapaneseTokenizer: bert,
  DistilBertTokenizer: bert,
  ElectraTokenizer: bert,
  GPT2Tokenizer: gpt2,
  RobertaTokenizer: sentence,
  BartTokenizer: sentence,
  XLMRobertaTokenizer: sentence,
  MBartTokenizer: sentence,
  MBart50Tokenizer: sentence,
  CamembertTokenizer: sentence,
};

/** The class's name without its older `Fast` ending. */
export function baseClass(name: string | undefined): string | undefined {
  return name?.replace(/Fast$/, "");
}

/** Files that say how a tokenizer is to be used; undefined where there is none. */
export interface SettingsFiles {
  readonly config?: Json;
  readonly specialTokensMap?: Json;
  readonly addedTokens?: Json;
}

/**
 * Bring a tokenizer's settings to one form.
 *
 * @param files The files' contents.
 * @param fallbackClass The class where tokenizer_config.json names none.
 * @param where What messages call the repository.
 * @throws {FormatError} If a special token is neither text nor an object with its content.
 */
export function readSettings(
  files: SettingsFiles,
  fallbackClass: string | undefined,
  where: string,
): TokenizerSettings {
  const config = files.config ?? {};
  const tokenizerClass = baseClass((config.tokenizer_class as string | undefined) ?? fallbackClass);
  const extra = new Map<string, Omit<AddedToken, "id"> & { id?: number }>();
  const add = (token: unknown, flags: Partial<AddedToken>, key: string): string => {
    const { content, ...own } = typeof token === "string" ? { content: token } : (token ?? {}) as Partial<AddedToken>;
    if (typeof content !== "string") {
      throw new FormatError(
        `Could not load the tokenizer of ${where}: ${key} is ${
          JSON.stringify(token)
        }, and text or an object with its ` +
          "content was expected",
        { file: where, key },
      );
    }
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
    const known = extra.get(content);
    extra.set(content, { ...plain, ...known, ...pickFlags(own), ...flags, content });
    return content;
  };
  // Known ids first, in ascending order, as the older classes added them.
  const decoder = Object.entries((config.added_tokens_decoder ?? {}) as Json).map(([id, token]) =>
    [Number(id), token] as const
  );
  for (const [id, token] of decoder.sort(([a], [b]) => a - b)) add(token, { id }, `added_tokens_decoder.${id}`);
  const numbered = Object.entries((files.addedTokens ?? {}) as Record<string, number>).sort(([, a], [, b]) => a - b);
  for (const [content, id] of numbered) {
    if (!extra.has(content)) add(content, { id, normalized: true }, `added_tokens.json ${content}`);
  }
  const specialTokens: Partial<Record<Role, string>> = {};
  const defaults = classDefaults[tokenizerClass ?? ""] ?? {};
  for (const role of roles) {
    const key = `${role}_token`;
    const token = key in config ? config[key] : files.specialTokensMap?.[key] ?? defaults[role];
    if (token == null) continue;
    // The map may know more of the token than the config does.
    const details = typeof token === "string" ? files.specialTokensMap?.[key] : undefined;
    const same = typeof details === "object" && (details as AddedToken | null)?.content === token;
    specialTokens[role] = add(same ? details : token, { special: true }, key);
  }
  for (const key of ["additional_special_tokens", "extra_special_tokens"]) {
    const list = config[key] ?? files.specialTokensMap?.[key] ?? [];
    for (const token of Array.isArray(list) ? list : Object.values(list as Json)) add(token, { special: true }, key);
  }
  const maxLength = config.model_max_length;
  return {
    tokenizerClass,
    specialTokens,
    extraTokens: [...extra.values()],
    // Transformers writes 1e30 for "no limit".
    maxLength: typeof maxLength === "number" && maxLength < 1e20 ? maxLength : Infinity,
    paddingSide: config.padding_side === "left" ? "left" : "right",
    truncationSide: config.truncation_side === "left" ? "left" : "right",
    cleanUpTokenizationSpaces: config.clean_up_tokenization_spaces === true,
    config,
  };
}

function pickFlags(token: Partial<AddedToken>): Partial<AddedToken> {
  const { single_word, lstrip, rstrip, normalized, special } = token;
  const flags = { single_word, lstrip, rstrip, normalized, special };
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => typeof value === "boolean"));
}
