// A tokenizer on the engine of npm @huggingface/tokenizers. What stands here is what the engine lacks or does otherwise
// than the Rust library: special tokens, unknown ids, the clean-up of spaces, padding, truncation, and saving.
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { FormatError, OptionError } from "../errors.ts";
import { type AddedToken, type Role, roles, type TokenizerDefinition, type TokenizerSettings } from "./definition.ts";
import { followRustRules, forEngine } from "./_engine_rules.ts";
import type {
  BatchEncoding,
  DecodeOptions,
  EncodeBatchOptions,
  EncodeOptions,
  Encoding,
  Tokenizer,
} from "./tokenizer.ts";

/**
 * Make a tokenizer.
 *
 * @param definition A tokenizer.json's content, checked.
 * @param settings How it is to be used.
 * @param name What messages call it.
 * @throws {FormatError} If the definition names a component that does not exist.
 */
export function createTokenizer(definition: TokenizerDefinition, settings: TokenizerSettings, name: string): Tokenizer {
  const whole = { ...definition, added_tokens: withExtraTokens(definition, settings) };
  try {
    // The engine's own settings (lower-casing, clean-up) are left at what the Rust library does.
    const engine = new Engine(forEngine(whole), {
      eos_token: settings.specialTokens.eos,
      clean_up_tokenization_spaces: false,
    });
    followRustRules(engine, forEngine(whole), name);
    return new EngineTokenizer(engine, whole, settings);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new FormatError(`Could not load tokenizer ${name}: ${what}`, { file: name }, { cause: error });
  }
}

/** The definition's added tokens and those that the settings name besides, which take the next free ids. */
function withExtraTokens(definition: TokenizerDefinition, settings: TokenizerSettings): AddedToken[] {
  const added = [...definition.added_tokens];
  const known = new Set(added.map((token) => token.content));
  const ids = vocabularyIds(definition);
  for (const token of settings.extraTokens) {
    if (known.has(token.content)) continue;
    const next = Math.max(ids.size, ...added.map(({ id }) => id + 1));
    added.push({ ...token, id: ids.get(token.content) ?? token.id ?? next });
    known.add(token.content);
  }
  return added;
}

/** The model's own vocabulary: how many tokens it has, and a token's id. */
function vocabularyIds({ model }: TokenizerDefinition): { size: number; get(token: string): number | undefined } {
  if (Array.isArray(model.vocab)) return new Map(model.vocab.map((piece, id) => [piece[0] as string, id]));
  const vocab = model.vocab as Record<string, number>;
  return {
    size: Object.keys(vocab).length,
    get: (token) => Object.hasOwn(vocab, token) ? vocab[token] : undefined,
  };
}

class EngineTokenizer implements Tokenizer {
  readonly #engine: Engine;
  readonly #definition: TokenizerDefinition;
  readonly #settings: TokenizerSettings;
  readonly #special: ReadonlySet<number>;
  readonly vocabularySize: number;
  readonly allSpecialIds: readonly number[];
  readonly padTokenId: number | undefined;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly unkTokenId: number | undefined;
  readonly clsTokenId: number | undefined;
  readonly sepTokenId: number | undefined;
  readonly maskTokenId: number | undefined;

  constructor(engine: Engine, definition: TokenizerDefinition, settings: TokenizerSettings) {
    this.#engine = engine;
    this.#definition = definition;
    this.#settings = settings;
    const special = definition.added_tokens.filter((token) => token.special).map((token) => token.id);
    this.allSpecialIds = [...new Set(special)].sort((a, b) => a - b);
    this.#special = new Set(special);
    const ids = vocabularyIds(definition);
    const others = definition.added_tokens.filter((token) => ids.get(token.content) === undefined);
    this.vocabularySize = ids.size + new Set(others.map((token) => token.id)).size;
    const role = (name: Role): number | undefined => {
      const token = settings.specialTokens[name];
      return token === undefined ? undefined : engine.token_to_id(token);
    };
    [
      this.bosTokenId,
      this.eosTokenId,
      this.unkTokenId,
      this.sepTokenId,
      this.padTokenId,
      this.clsTokenId,
      this.maskTokenId,
    ] = roles.map(role);
  }

  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { ids } = this.#engine.encode(text, { add_special_tokens: options.addSpecialTokens ?? true });
    // The engine's own tokens keep what became the unknown token.
    const tokens = ids.map((id) => this.#engine.id_to_token(id)!);
    return { inputIds: ids, tokens, attentionMask: new Array(ids.length).fill(1) };
  }

  encodeBatch(texts: readonly string[], options: EncodeBatchOptions = {}): BatchEncoding {
    const limit = options.maxLength ?? this.#settings.maxLength;
    if (!(limit >= 1)) {
      throw new OptionError(`Could not encode texts: option maxLength is ${limit}, and at least 1 was expected`);
    }
    const rows = texts.map((text) => {
      const { inputIds } = this.encode(text, options);
      return options.truncation && inputIds.length > limit ? this.#truncate(text, inputIds, limit, options) : inputIds;
    });
    const longest = Math.max(0, ...rows.map((row) => row.length));
    // As in Transformers, padding to the model's own length does nothing where it has none.
    const width = options.padding === "max_length" ? (limit === Infinity ? 0 : limit) : options.padding ? longest : 0;
    const fill = (row: readonly number[], filler: number): number[] => {
      const padding: number[] = new Array(Math.max(0, width - row.length)).fill(filler);
      return this.#settings.paddingSide === "left" ? [...padding, ...row] : [...row, ...padding];
    };
    const masks = rows.map((row) => row.map(() => 1));
    if (!options.padding) return { inputIds: rows, attentionMask: masks };
    const pad = this.padTokenId;
    if (pad === undefined) {
      throw new OptionError(
        "Could not pad texts: the tokenizer has no pad token; leave out option padding or name one",
      );
    }
    return { inputIds: rows.map((row) => fill(row, pad)), attentionMask: masks.map((mask) => fill(mask, 0)) };
  }

  /** Cut the text's own tokens so that they and the special ones around them are `limit`. */
  #truncate(text: string, ids: number[], limit: number, options: EncodeOptions): number[] {
    const content = this.encode(text, { ...options, addSpecialTokens: false }).inputIds;
    const room = limit - (ids.length - content.length);
    if (room < 0) {
      throw new OptionError(
        `Could not truncate a text to ${limit} tokens: its special tokens alone are ${ids.length - content.length}`,
      );
    }
    let before = 0;
    while (!content.every((id, i) => ids[before + i] === id)) before++;
    const kept = this.#settings.truncationSide === "left"
      ? content.slice(content.length - room)
      : content.slice(0, room);
    return [...ids.slice(0, before), ...kept, ...ids.slice(before + content.length)];
  }

  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    const known = ids.filter((id) =>
      this.#engine.id_to_token(id) !== undefined && !(options.skipSpecialTokens && this.#special.has(id))
    );
    if (known.length === 0) return "";
    const text = this.#engine.decode(known, { clean_up_tokenization_spaces: false });
    const clean = options.cleanUpTokenizationSpaces ?? this.#settings.cleanUpTokenizationSpaces;
    // Transformers leaves BPE's text as it is: its spaces are the text's own.
    return clean && this.#definition.model.type !== "BPE" ? cleanUp(text) : text;
  }

  batchDecode(ids: readonly (readonly number[])[], options: DecodeOptions = {}): string[] {
    return ids.map((row) => this.decode(row, options));
  }

  tokenToId(token: string): number | undefined {
    return this.#engine.token_to_id(token);
  }

  idToToken(id: number): string | undefined {
    return this.#engine.id_to_token(id);
  }

  async savePretrained(folder: string | URL): Promise<void> {
    const { writeJson } = await import("../hub/write_json.ts");
    const { config, specialTokens, tokenizerClass } = this.#settings;
    const named = Object.fromEntries(Object.entries(specialTokens).map(([role, token]) => [`${role}_token`, token]));
    await writeJson(folder, "tokenizer.json", this.#definition);
    await writeJson(folder, "tokenizer_config.json", { ...named, tokenizer_class: tokenizerClass, ...config });
  }
}

/** Transformers' `clean_up_tokenization`. */
function cleanUp(text: string): string {
  return [" .", " ?", " !", " ,"].reduce((now, pair) => now.replaceAll(pair, pair[1]), text)
    .replaceAll(" ' ", "'")
    .replaceAll(/ (n't|'m|'s|'ve|'re)/g, "$1");
}
