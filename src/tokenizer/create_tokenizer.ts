// Makes a tokenizer from a tokenizer.json's parts: added tokens, a normaliser, a pre-tokenizer, a model, the special tokens
// around a text, and a decoder. A part is npm @huggingface/tokenizers' where that computes what the Rust library does.
import { FormatError, LimnerError, OptionError } from "../errors/mod.ts";
import { defaultLimits, demand, type Limits, withinTime } from "../limits/mod.ts";
import { makeFail } from "./files/check_definition.ts";
import { contentOf, type Role, roles, type TokenizerSettings, tokensToAdd } from "./files/tokenizer_settings.ts";
import { AddedTokens } from "./pipeline/added_tokens.ts";
import { cleanUp, type Decode, makeDecoder } from "./pipeline/decoders.ts";
import type { AddedToken, Component, TokenizerDefinition } from "./files/definition.ts";
import { makeModel, type Model } from "./pipeline/models.ts";
import { checkNumbers, readSurroundingIds, type SurroundingIds } from "./pipeline/post_processors.ts";
import type { PreTokenize } from "./pipeline/pre_tokenizers.ts";
import type {
  BatchEncoding,
  DecodeOptions,
  EncodeBatchOptions,
  EncodeOptions,
  Encoding,
  Tokenizer,
} from "./tokenizer.ts";

/** What a tokenizer is created with, besides its definition. */
export interface CreateTokenizerOptions {
  /** Transformers' class, for example `GPT2Tokenizer`. */
  readonly className: string;
  /** What messages call the file. */
  readonly name: string;
  readonly settings: TokenizerSettings;
  /** @default defaultLimits */
  readonly limits?: Pick<Limits, "maxTokens" | "patternMilliseconds">;
  /** Whether the class is Transformers' own, in Python. */
  readonly inPython?: boolean;
  /** The special tokens before and after a text, where the definition's post-processor does not count. */
  readonly surroundingTokens?: { readonly before: readonly string[]; readonly after: readonly string[] };
}

/** The parts of a tokenizer, ready for use. */
interface Parts {
  readonly added: AddedTokens;
  readonly preTokenize: PreTokenize | undefined;
  readonly model: Model;
  readonly decode: Decode | undefined;
  readonly surroundingIds: SurroundingIds;
}

/**
 * Make a tokenizer.
 *
 * @param definition A tokenizer.json's content, checked.
 * @throws {FormatError} If the definition names a component that does not exist.
 */
export async function createTokenizer(
  definition: TokenizerDefinition,
  createdWith: CreateTokenizerOptions,
): Promise<Tokenizer> {
  const fail = makeFail(createdWith.name);
  try {
    const { normalizer, pre_tokenizer, decoder } = definition;
    const model = await makeModel(definition.model, fail);
    const normalize = normalizer
      ? await (await import("./pipeline/normalizers.ts")).makeNormalizer(normalizer, fail)
      : (text: string) => text;
    const added = new AddedTokens(model.vocabulary, normalize);
    const add = (tokens: readonly AddedToken[], ofSettings: boolean) =>
      addTokens(added, tokens, createdWith, { ofSettings, limited: hasPattern(normalizer) });
    add(definition.added_tokens, false);
    const present = new Set(added.entries.map(({ content }) => content));
    add(tokensToAdd(createdWith.settings, (token) => present.has(token)), true);
    if (definition.post_processor) checkNumbers(definition.post_processor, fail);
    const post_processor = postProcessor(definition, createdWith, (token) => added.id(token));
    const whole = { ...definition, added_tokens: added.entries, post_processor };
    const parts: Parts = {
      added,
      model,
      preTokenize: pre_tokenizer
        ? await (await import("./pipeline/pre_tokenizers.ts")).makePreTokenizer(pre_tokenizer, fail)
        : undefined,
      decode: decoder ? await makeDecoder(decoder, fail) : undefined,
      surroundingIds: post_processor ? readSurroundingIds(post_processor, fail) : { before: [], after: [] },
    };
    return new PartsTokenizer(parts, whole, createdWith);
  } catch (error) {
    if (error instanceof LimnerError) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new FormatError(`Cannot load tokenizer ${createdWith.name}: ${what}`, { file: createdWith.name }, {
      cause: error,
    });
  }
}

/** Whether a component, or a part of it, searches for a pattern that its file gives. */
function hasPattern(component: Component | null): boolean {
  return component !== null && JSON.stringify(component).includes('"pattern"');
}

/**
 * Add tokens.
 *
 * @param how.ofSettings Whether they are its settings', which a class in Python takes as they are.
 * @param how.limited Whether the time is limited that normalising them may take.
 */
function addTokens(
  added: AddedTokens,
  tokens: readonly AddedToken[],
  { name, limits, inPython }: CreateTokenizerOptions,
  { ofSettings, limited }: { readonly ofSettings: boolean; readonly limited: boolean },
): void {
  const asTheyAre = inPython === true && ofSettings;
  const list = asTheyAre ? tokens.map((token) => ({ ...token, normalized: false })) : tokens;
  const task = `Cannot load tokenizer ${name}`;
  const because = `it adds ${list.length} tokens`;
  demand(limits ?? defaultLimits, "maxTokens", list.length, { task, because, key: "added_tokens" });
  if (!limited) return added.add(list, asTheyAre);
  const characters = list.reduce((sum, { content }) => sum + content.length, 0);
  const work = { task, characters, parts: "normalizer on added_tokens" };
  added.add(list, asTheyAre, withinTime(() => added.spell(list), work, limits));
}

/** The class's post-processor, else the definition's, else what add_bos_token and add_eos_token ask for. */
function postProcessor(
  { post_processor }: TokenizerDefinition,
  { surroundingTokens, settings, name }: CreateTokenizerOptions,
  idOf: (token: string) => number | undefined,
): Component | null {
  const { add_bos_token, add_eos_token } = settings.options;
  const end = (role: Role, asked: unknown): string[] => {
    const token = settings.special.get(`${role}_token`);
    return asked && token ? [contentOf(token)] : [];
  };
  const asked = add_bos_token !== undefined || add_eos_token !== undefined;
  if (!surroundingTokens && (post_processor || !asked)) return post_processor;
  const { before, after } = surroundingTokens ??
    { before: end("bos", add_bos_token), after: end("eos", add_eos_token) };
  const tokens = [...new Set([...before, ...after])].map((id) => {
    const known = idOf(id);
    if (known !== undefined) return [id, { id, ids: [known], tokens: [id] }] as const;
    const what = `its vocabulary lacks ${JSON.stringify(id)}, which is put around texts`;
    return makeFail(name)(what, "model.vocab");
  });
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const single = [...before.map(special), sequence("A"), ...after.map(special)];
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, sequence("B"), ...after.map(special)],
    special_tokens: Object.fromEntries(tokens),
  };
}

class PartsTokenizer implements Tokenizer {
  readonly #parts: Parts;
  readonly #definition: TokenizerDefinition;
  readonly #createdWith: CreateTokenizerOptions;
  readonly #settings: TokenizerSettings;
  readonly #decodesByPattern: boolean;
  readonly allSpecialIds: readonly number[];
  readonly padTokenId: number | undefined;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly unkTokenId: number | undefined;
  readonly clsTokenId: number | undefined;
  readonly sepTokenId: number | undefined;
  readonly maskTokenId: number | undefined;

  constructor(parts: Parts, definition: TokenizerDefinition, createdWith: CreateTokenizerOptions) {
    this.#parts = parts;
    this.#definition = definition;
    this.#createdWith = createdWith;
    this.#settings = createdWith.settings;
    this.#decodesByPattern = hasPattern(definition.decoder);
    const { special, extra, listed } = createdWith.settings;
    const ids = [...special.values(), ...extra, ...listed].flatMap((token) => this.tokenToId(contentOf(token)) ?? []);
    this.allSpecialIds = [...new Set(ids)].sort((a, b) => a - b);
    const role = (name: Role): number | undefined => {
      const token = special.get(`${name}_token`);
      return token === undefined ? undefined : this.tokenToId(contentOf(token));
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

  get vocabularySize(): number {
    return this.#parts.added.size;
  }

  encode(text: string, options: EncodeOptions = {}): Encoding {
    const inputIds = this.#surround(this.#content(text), options);
    return {
      inputIds,
      tokens: inputIds.map((id) => this.idToToken(id)!),
      attentionMask: new Array(inputIds.length).fill(1),
    };
  }

  /** The ids of the text's own tokens. */
  #content(text: string): number[] {
    const { added, preTokenize, model } = this.#parts;
    const { name, limits } = this.#createdWith;
    added.prepare();
    const cut = (): (number | readonly string[])[] =>
      added.split(text.toWellFormed()).map(({ id, text, first }) => id ?? preTokenize?.(text, first) ?? [text]);
    const task = `Cannot encode a text of ${text.length} characters with ${name}`;
    const pieces = withinTime(cut, { task, characters: text.length, parts: "normalizer and pre_tokenizer" }, limits);
    const ids: number[] = [];
    for (const piece of pieces) {
      if (typeof piece === "number") ids.push(piece);
      else for (const word of piece) for (const id of model.encode(word)) ids.push(id);
    }
    return ids;
  }

  #surround(content: number[], { addSpecialTokens = true }: EncodeOptions): number[] {
    const { before, after } = this.#parts.surroundingIds;
    return addSpecialTokens ? [...before, ...content, ...after] : content;
  }

  encodeBatch(texts: readonly string[], options: EncodeBatchOptions = {}): BatchEncoding {
    const limit = options.maxLength ?? this.#settings.maxLength;
    if (!(limit >= 1)) {
      throw new OptionError(`Cannot encode texts: option maxLength is ${limit}, and at least 1 was expected`);
    }
    // As in Transformers, a length alone asks for truncation.
    const truncates = options.truncation ?? (options.maxLength !== undefined && !options.padding);
    const rows = texts.map((text) => {
      const content = this.#content(text);
      return this.#surround(truncates ? this.#truncate(content, limit, options) : content, options);
    });
    const masks = rows.map((row) => row.map(() => 1));
    // As in Transformers, padding to the model's own length does nothing where it has none.
    const padsToLength = options.padding === "max_length";
    if (!options.padding || padsToLength && limit === Infinity) return { inputIds: rows, attentionMask: masks };
    const pad = this.padTokenId;
    if (pad === undefined) {
      throw new OptionError(
        "Cannot pad texts: the tokenizer has no pad token; leave out option padding or name one",
      );
    }
    const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
    const width = padsToLength ? limit : longest;
    const fill = (row: readonly number[], filler: number): number[] => {
      const padding: number[] = new Array(Math.max(0, width - row.length)).fill(filler);
      return this.#settings.paddingSide === "left" ? [...padding, ...row] : [...row, ...padding];
    };
    return { inputIds: rows.map((row) => fill(row, pad)), attentionMask: masks.map((mask) => fill(mask, 0)) };
  }

  /** Cut a text's own tokens so that they are at most `limit` with the special ones before and after them. */
  #truncate(content: number[], limit: number, { addSpecialTokens = true }: EncodeOptions): number[] {
    const { before, after } = this.#parts.surroundingIds;
    const special = addSpecialTokens ? before.length + after.length : 0;
    const room = limit - special;
    if (room < 0) {
      throw new OptionError(
        `Cannot truncate a text to ${limit} tokens: its special tokens alone are ${special}`,
      );
    }
    if (content.length <= room) return content;
    return this.#settings.truncationSide === "left" ? content.slice(content.length - room) : content.slice(0, room);
  }

  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    const { added, decode } = this.#parts;
    const { inPython } = this.#createdWith;
    const isSkipped = (id: number, token: string): boolean =>
      options.skipSpecialTokens === true && (inPython ? this.allSpecialIds.includes(id) : added.isSpecial(token));
    const tokens = ids.flatMap((id) => {
      const token = this.idToToken(id);
      return token === undefined || isSkipped(id, token) ? [] : token;
    });
    if (tokens.length === 0) return "";
    let text = decode ? this.#join(tokens, decode) : tokens.join(" ");
    if (inPython) text = text.trim();
    const clean = options.cleanUpTokenizationSpaces ?? this.cleansUpSpaces;
    return clean && this.#mayCleanUp ? cleanUp(text) : text;
  }

  get cleansUpSpaces(): boolean {
    return this.#settings.cleanUpTokenizationSpaces && this.#mayCleanUp;
  }

  /** As in Transformers, BPE's text stays as it is, since its spaces are the text's own. */
  get #mayCleanUp(): boolean {
    return this.#definition.model.type !== "BPE";
  }

  #join(tokens: readonly string[], decode: Decode): string {
    const { name, limits } = this.#createdWith;
    if (!this.#decodesByPattern) return decode(tokens).join("");
    const characters = tokens.reduce((sum, token) => sum + token.length, 0);
    const task = `Cannot decode ${tokens.length} tokens with ${name}`;
    return withinTime(() => decode(tokens).join(""), { task, characters, parts: "decoder" }, limits);
  }

  batchDecode(ids: readonly (readonly number[])[], options: DecodeOptions = {}): string[] {
    return ids.map((row) => this.decode(row, options));
  }

  tokenToId(token: string): number | undefined {
    return this.#parts.added.id(token);
  }

  idToToken(id: number): string | undefined {
    const unknown = this.#createdWith.inPython ? this.#settings.special.get("unk_token") : undefined;
    return this.#parts.added.token(id) ?? (unknown && contentOf(unknown));
  }

  async savePretrained(folder: string | URL): Promise<void> {
    const { saveTokenizer } = await import("./save_tokenizer.ts");
    await saveTokenizer(folder, this.#definition, this.#createdWith);
  }
}
