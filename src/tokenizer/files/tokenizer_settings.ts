// tokenizer_config.json, special_tokens_map.json and added_tokens.json combined into one form, as Transformers 5 does it
// (`PreTrainedTokenizerBase._from_pretrained` and `TokenizersBackend.__init__`).
import { FormatError } from "../../errors/mod.ts";
import { isRecord } from "../../hub/read_json.ts";
import { type AddedToken, addedToken } from "./definition.ts";

/** The roles that a special token can have, as Transformers names them. */
export const roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const;

/** A role of a special token. */
export type Role = typeof roles[number];

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** A special token: its text, or its text and the flags by which it is matched. */
export type SpecialToken = string | AddedToken;

/** The contents of a repository's files besides the vocabulary; undefined where there is no such file. */
export interface SettingsFiles {
  readonly config?: Json;
  readonly specialTokensMap?: Json;
  readonly addedTokens?: Json;
  /** tokenizer.json's content. */
  readonly tokenizer?: Json;
  /** The control and user-defined pieces of a SentencePiece model. */
  readonly pieces?: readonly AddedToken[];
}

/** A class's defaults for what the files do not set. */
export interface SettingsDefaults {
  /** Special tokens by role. */
  readonly special?: Readonly<Partial<Record<Role, SpecialToken>>>;
  /**
   * Special tokens without a role: the files' `own` (extra_special_tokens), those that older files or a SentencePiece
   * model have `given` (additional_special_tokens), or the class's.
   */
  readonly extra?: (files: {
    readonly own?: readonly SpecialToken[];
    readonly given?: readonly SpecialToken[];
    readonly options: Json;
  }) => readonly SpecialToken[];
  /** Tokens of the vocabulary that count as special without being added. */
  readonly listed?: readonly string[];
  /** Where texts are padded. @default "right" */
  readonly paddingSide?: "left" | "right";
}

/** A tokenizer's settings from all its files, with the defaults of its class. */
export interface TokenizerSettings {
  /** The options that Transformers would make the class with. */
  readonly options: Json;
  /** Special tokens by key: `bos_token` and so on, and a model's own. */
  readonly special: ReadonlyMap<string, SpecialToken>;
  /** Special tokens that have no role. */
  readonly extra: readonly SpecialToken[];
  /** Further tokens that count as special without being added. */
  readonly listed: readonly string[];
  /** Tokens to which the files give ids, in the order of the ids. */
  readonly numbered: readonly AddedToken[];
  /** The most tokens that the model takes; Infinity where no file sets it. */
  readonly maxLength: number;
  readonly paddingSide: "left" | "right";
  readonly truncationSide: "left" | "right";
  readonly cleanUpTokenizationSpaces: boolean;
}

/**
 * Combine a tokenizer's settings from its files.
 *
 * @param files The files' contents.
 * @param defaults The class's defaults for what they do not set.
 * @param where What messages call the repository.
 * @throws {FormatError} If a special token is neither text nor an object with its content.
 */
export function readSettings(files: SettingsFiles, defaults: SettingsDefaults, where: string): TokenizerSettings {
  const options: Record<string, unknown> = { ...files.config };
  if (files.tokenizer) { for (const key of ["add_bos_token", "add_eos_token"]) delete options[key]; }
  if ("additional_special_tokens" in options && isEmpty(options.extra_special_tokens)) {
    options.extra_special_tokens = options.additional_special_tokens;
    delete options.additional_special_tokens;
  }
  const read = (token: unknown, key: string): SpecialToken => readToken(token, key, where);
  const numbered = numberedTokens(files, options, read);
  const byContent = new Map(numbered.map((token) => [token.content, token]));

  const { truncation, padding } = (files.tokenizer ?? {}) as Record<string, Record<string, string> | null>;
  const special = new Map<string, SpecialToken>();
  for (const role of roles) {
    const key = `${role}_token`;
    // The padding of a tokenizer.json counts only if the class has no special tokens of its own.
    const stored = role === "pad" && !defaults.special ? padding?.pad_token : undefined;
    const token = key in options ? options[key] : defaults.special?.[role] ?? stored;
    if (token == null) continue;
    const one = read(token, key);
    const numberedOne = key in options ? byContent.get(contentOf(one)) : undefined;
    special.set(key, numberedOne ?? withFlagsOfDefault(one, defaults.special?.[role]));
  }
  // A model's own special tokens: other keys that end in _token, and named ones.
  const named = Object.assign(
    {},
    ...[options.extra_special_tokens, options.model_specific_special_tokens].filter(isRecord),
  );
  for (const [key, token] of Object.entries<unknown>({ ...options, ...named })) {
    const own = key in named || key.endsWith("_token") && (typeof token === "string" || isRecord(token));
    if (own && !special.has(key)) special.set(key, read(token, key));
  }
  const list = (key: string): SpecialToken[] | undefined =>
    Array.isArray(options[key]) ? options[key].map((token) => read(token, key)) : undefined;
  const tokens = {
    own: list("extra_special_tokens"),
    given: files.pieces ?? list("additional_special_tokens"),
    options,
  };
  const side = (key: string, stored: Record<string, string> | null | undefined, otherwise?: string) =>
    String(options[key] ?? stored?.direction ?? otherwise).toLowerCase() === "left" ? "left" : "right";
  const maxLength = options.model_max_length ?? options.max_len;
  return {
    options,
    special,
    extra: defaults.extra?.(tokens) ?? tokens.own ?? tokens.given ?? [],
    listed: defaults.listed ?? [],
    numbered,
    // Transformers writes 1e30 for "no limit".
    maxLength: typeof maxLength === "number" && maxLength <= 1e20 ? maxLength : Infinity,
    paddingSide: side("padding_side", padding, defaults.paddingSide),
    truncationSide: side("truncation_side", truncation),
    cleanUpTokenizationSpaces: options.clean_up_tokenization_spaces === true,
  };
}

type Read = (token: unknown, key: string) => SpecialToken;

/** If tokenizer_config.json gives no tokens ids, the older files do; only then special_tokens_map.json is used. */
function numberedTokens(files: SettingsFiles, options: Record<string, unknown>, read: Read): AddedToken[] {
  const numbered = new Map<number, AddedToken>();
  const own = options.added_tokens_decoder as Json | undefined;
  if (own) {
    for (const [id, token] of Object.entries(own)) {
      numbered.set(Number(id), asAddedToken(read(token, `added_tokens_decoder.${id}`)));
    }
  } else {
    for (const [key, value] of Object.entries(files.specialTokensMap ?? {})) {
      options[key] = isRecord(value) && "content" in value ? { ...value, special: true } : value;
    }
    const extra = Array.isArray(options.extra_special_tokens) ? options.extra_special_tokens : [];
    // As in Transformers, tokens that tokenizer_config.json writes as objects with a __type do not count.
    const plain = [...roles.map((role) => options[`${role}_token`]), ...extra]
      .filter((token) => typeof token === "string" || isRecord(token) && !("__type" in token));
    const special = new Set(plain.map((token) => contentOf(read(token, "special_tokens_map.json"))));
    for (const [content, id] of Object.entries(files.addedTokens ?? {})) {
      numbered.set(id as number, addedToken({ content, special: special.has(content) }));
    }
    for (const token of (files.tokenizer?.added_tokens ?? []) as (AddedToken & { id: number })[]) {
      numbered.set(token.id, addedToken(token));
    }
  }
  return [...numbered].sort(([a], [b]) => a - b).map(([id, token]) => ({ ...token, id }));
}

/**
 * The tokens that Transformers adds to a tokenizer because of its settings, in its order.
 *
 * @param settings The settings.
 * @param isAdded Whether a token is one of the added ones already.
 */
export function tokensToAdd(settings: TokenizerSettings, isAdded: (token: string) => boolean): AddedToken[] {
  const named = new Set([...settings.special.values()].map(contentOf));
  const known = new Set(settings.numbered.map(contentOf));
  const others = [...settings.special.values(), ...settings.extra].filter((token) =>
    !isAdded(contentOf(token)) && !known.has(contentOf(token))
  );
  return [...settings.numbered, ...others.map(asAddedToken)].map((token) =>
    named.has(token.content) ? { ...token, special: true } : token
  );
}

/** A token that is given by its text alone takes the flags of the class's default. */
function withFlagsOfDefault(token: SpecialToken, byDefault: SpecialToken | undefined): SpecialToken {
  return typeof token === "string" && typeof byDefault === "object" ? { ...byDefault, content: token } : token;
}

/** A special token's text. */
export function contentOf(token: SpecialToken): string {
  return typeof token === "string" ? token : token.content;
}

/** An added token; one that is given by its text alone is special. */
function asAddedToken(token: SpecialToken): AddedToken {
  return typeof token === "string" ? addedToken({ content: token, special: true }) : token;
}

function readToken(token: unknown, key: string, where: string): SpecialToken {
  if (typeof token === "string") return token;
  if (isRecord(token) && typeof token.content === "string") return addedToken(token as unknown as AddedToken);
  throw new FormatError(
    `Cannot load the tokenizer of ${where}: ${key} is ${JSON.stringify(token)}, ` +
      "and text or an object with its content was expected",
    { file: where, key },
  );
}

function isEmpty(value: unknown): boolean {
  return value == null || Object.keys(value).length === 0;
}
