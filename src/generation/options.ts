// What a person asks of generate(), laid over the model's generation settings. Nothing is silently ignored: an option
// that does not exist, or that this version cannot honour, is an error.
import { ConfigError, OptionError } from "../errors.ts";
import type { GenerationConfig } from "./generation_config.ts";

/** Receives tokens as they are decided. */
export interface Streamer {
  /** Take the next tokens: one list a row, empty for a row that has ended. */
  put(tokens: readonly (readonly number[])[]): void;
  /** The generation has ended. */
  end(): void;
}

/** How long the parts of a generation took. */
export interface Timings {
  /** Milliseconds until the encoder's states were ready. */
  readonly encode: number;
  /** Milliseconds of decoding. */
  readonly decode: number;
  /** The tokens decided in them, over all rows. */
  readonly tokens: number;
}

/** Options of `generate`; undefined takes the model's setting, null unsets it. */
export interface GenerateOptions {
  /** The most tokens to add to the prompt; it wins over `maxLength`. @default 20 where neither is set */
  readonly maxNewTokens?: number | null;
  /** The most tokens in all, the start token included. */
  readonly maxLength?: number | null;
  /** Only 1: greedy search. */
  readonly numBeams?: number | null;
  /** Only false: the most likely token is taken. */
  readonly doSample?: boolean | null;
  /** The tokens that end a row. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Fills rows behind their end. @default the first end token */
  readonly padTokenId?: number | null;
  /** The token that every row begins with. @default the begin-of-sequence token */
  readonly decoderStartTokenId?: number | null;
  /** A prompt for each row, all of one length; the start token is put before those that lack it. */
  readonly decoderInputIds?: readonly (readonly number[])[];
  /** Accepted for Hugging Face's sake; the cache is always used. */
  readonly useCache?: boolean | null;
  /** Receives tokens as they are decided. */
  readonly streamer?: Streamer;
  /** Stops the generation within a step. */
  readonly signal?: AbortSignal;
  /** Is told how long it took; measuring costs one more wait for the device. */
  readonly onTimings?: (timings: Timings) => void;
}

/** The settings of one generation, resolved. */
export interface Generation {
  /** The prompt of each row, the start token first. */
  readonly prompts: readonly (readonly number[])[];
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number;
}

/** Options that are honoured, and the setting each stands for. */
const settingOf: Readonly<Record<string, string | undefined>> = {
  maxNewTokens: "max_new_tokens",
  maxLength: "max_length",
  numBeams: "num_beams",
  doSample: "do_sample",
  eosTokenId: "eos_token_id",
  padTokenId: "pad_token_id",
  decoderStartTokenId: "decoder_start_token_id",
  useCache: "use_cache",
  decoderInputIds: undefined,
  streamer: undefined,
  signal: undefined,
  onTimings: undefined,
};

/** Settings that change what is generated and are not honoured, with the values that change nothing. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  do_sample: [false],
  num_return_sequences: [1],
  min_length: [0],
  min_new_tokens: [0],
  repetition_penalty: [1],
  no_repeat_ngram_size: [0],
  bad_words_ids: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  sequence_bias: [],
  exponential_decay_length_penalty: [],
};

function isNeutral(key: string, value: unknown): boolean {
  return value === undefined || value === null || neutral[key].includes(value) ||
    (Array.isArray(value) && value.length === 0);
}

/**
 * Lay options over settings.
 *
 * @throws {OptionError} If an option does not exist, or asks for what this version cannot do.
 */
export function layOptions(settings: GenerationConfig, options: GenerateOptions): GenerationConfig {
  const laid: GenerationConfig = { ...settings };
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(settingOf, option)) {
      throw new OptionError(
        `Cannot generate with the option "${option}": it does not exist; the options are ${
          Object.keys(settingOf).join(", ")
        }`,
      );
    }
    const key = settingOf[option];
    if (key && value !== undefined) laid[key] = value;
  }
  for (const key of Object.keys(neutral)) {
    if (!isNeutral(key, laid[key])) {
      throw new OptionError(
        `Cannot generate with ${key} = ${JSON.stringify(laid[key])}: only greedy search without processors is ` +
          `supported, expected ${neutral[key].length ? JSON.stringify(neutral[key][0]) : "null"}`,
      );
    }
  }
  return laid;
}

/** A count of tokens, or undefined. @throws {OptionError} If it is no positive whole number. */
function tokenCount(settings: GenerationConfig, key: "max_length" | "max_new_tokens"): number | undefined {
  const value = settings[key] ?? undefined;
  if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
    throw new OptionError(`Cannot generate with ${key} = ${JSON.stringify(value)}: expected a positive whole number`);
  }
  return value;
}

/** A token's id, or undefined. @throws {OptionError} If it is not one of the vocabulary's. */
function tokenId(settings: GenerationConfig, key: string, vocabularySize: number, value = settings[key]) {
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= vocabularySize) {
    throw new OptionError(
      `Cannot generate with ${key} = ${JSON.stringify(value)}: expected a token id below ${vocabularySize}`,
    );
  }
  return value as number;
}

/** How many tokens fit when nothing says so: the default of transformers.GenerationConfig. */
const defaultNewTokens = 20;

/**
 * Settle a generation.
 *
 * @param settings The model's generation settings.
 * @param options A person's options.
 * @param model What the model is: its vocabulary, its positions, whether the start token is put before prompts, and the
 * pictures of this call.
 * @throws {OptionError} If an option does not exist or cannot be honoured.
 * @throws {ConfigError} If no start token is known.
 */
export function settle(
  settings: GenerationConfig,
  options: GenerateOptions,
  model: { batch: number; vocabularySize: number; maxPositions?: number; prependsStart: boolean },
): Generation {
  const laid = layOptions(settings, options);
  const { batch, vocabularySize } = model;
  const start = tokenId(laid, "decoder_start_token_id", vocabularySize) ??
    tokenId(laid, "bos_token_id", vocabularySize);
  const prompts = promptsOf(options.decoderInputIds, start, model);
  const [{ length }] = prompts.length ? prompts : [[start]];
  const newTokens = tokenCount(laid, "max_new_tokens");
  const maxLength = newTokens !== undefined
    ? length + newTokens
    : tokenCount(laid, "max_length") ?? length + defaultNewTokens;
  if (maxLength <= length) {
    throw new OptionError(
      `Cannot generate with max_length = ${maxLength}: the prompt has ${length} tokens already; raise max_length or ` +
        `set max_new_tokens`,
    );
  }
  if (model.maxPositions !== undefined && maxLength - 1 > model.maxPositions) {
    throw new OptionError(
      `Cannot generate up to ${maxLength} tokens: the decoder has ${model.maxPositions} positions, one for each but the last`,
    );
  }
  const ends = [laid.eos_token_id ?? []].flat();
  const eosTokenIds = ends.map((id) => tokenId(laid, "eos_token_id", vocabularySize, id)!);
  // Without an end token nothing ends early, and nothing is filled.
  const padTokenId = tokenId(laid, "pad_token_id", vocabularySize) ?? eosTokenIds[0] ?? 0;
  if (prompts.length !== batch) {
    throw new OptionError(
      `Cannot generate: there are ${batch} pictures, but decoderInputIds has ${prompts.length} rows`,
    );
  }
  return { prompts, maxLength, eosTokenIds, padTokenId };
}

function promptsOf(
  given: GenerateOptions["decoderInputIds"],
  start: number | undefined,
  { batch, vocabularySize, prependsStart }: { batch: number; vocabularySize: number; prependsStart: boolean },
): number[][] {
  if (given === undefined) {
    if (start === undefined) {
      throw new ConfigError(
        "Cannot generate: neither decoder_start_token_id nor bos_token_id is set in the generation settings; " +
          "give decoderStartTokenId",
        "decoder_start_token_id",
      );
    }
    return Array.from({ length: batch }, () => [start]);
  }
  const lengths = new Set(given.map((row) => row.length));
  if (lengths.size !== 1 || lengths.has(0)) {
    throw new OptionError("Cannot generate from decoderInputIds: expected rows of one length, at least 1");
  }
  for (const id of given.flat()) tokenId({}, "decoderInputIds", vocabularySize, id);
  // As Hugging Face does: the start token is put before all rows, and only if no row begins with it.
  const lacks = prependsStart && start !== undefined && given.every((row) => row[0] !== start);
  return given.map((row) => lacks ? [start, ...row] : [...row]);
}
