// What a person asks of generate(), laid over the model's generation settings. Nothing is silently ignored: an option
// that does not exist, contradicts another or cannot be honoured is an error. Most of the file says what the options are.
import { ConfigError, OptionError } from "../errors.ts";
import type { GenerationConfig } from "./generation_config.ts";
import type { LogitsProcessor } from "./processors.ts";
import { checkConflicts, type GenerationSettings, settingsOf } from "./settings.ts";

/** Receives tokens as they are decided. */
export interface Streamer {
  /** Take the next tokens: one list a row, empty for a row that has ended. The generation waits for a promise. */
  put(tokens: readonly (readonly number[])[]): void | Promise<void>;
  /** The generation has ended well. The generation's result waits for a promise. */
  end(): void | Promise<void>;
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

/** Options of `generate`, Hugging Face's in camelCase; undefined takes the model's setting, null unsets it. */
export interface GenerateOptions {
  /** The most tokens to add to the prompt; it wins over `maxLength`. @default 20 where neither is set */
  readonly maxNewTokens?: number | null;
  /** The most tokens in all, the start token included. */
  readonly maxLength?: number | null;
  /** The fewest tokens to add to the prompt; it wins over `minLength`. */
  readonly minNewTokens?: number | null;
  /** The fewest tokens in all. */
  readonly minLength?: number | null;
  /** Beams of each picture. @default 1 */
  readonly numBeams?: number | null;
  /** Texts of each picture. @default 1 */
  readonly numReturnSequences?: number | null;
  /** Draw tokens by their probabilities. @default false */
  readonly doSample?: boolean | null;
  /** Divides the scores before drawing. @default 1 */
  readonly temperature?: number | null;
  /** Draw from this many of the likeliest tokens; 0 for all. @default 50 */
  readonly topK?: number | null;
  /** Draw from the likeliest tokens that together have this probability. @default 1 */
  readonly topP?: number | null;
  /** Draw from tokens that have this share of the likeliest one's probability. */
  readonly minP?: number | null;
  /** Draw from the most typical tokens that together have this probability. @default 1 */
  readonly typicalP?: number | null;
  /** Draw from tokens of at least this probability. @default 0 */
  readonly epsilonCutoff?: number | null;
  /** As `epsilonCutoff`, lowered where the distribution is flat. @default 0 */
  readonly etaCutoff?: number | null;
  /** Divides the scores of tokens that a row has. Rows are read from the device. @default 1 */
  readonly repetitionPenalty?: number | null;
  /** Sequences of this many tokens may occur once. Rows are read from the device. @default 0 */
  readonly noRepeatNgramSize?: number | null;
  /** The exponent of a beam's length, by which its score is divided. @default 1 */
  readonly lengthPenalty?: number | null;
  /** Whether beam search ends with the first `numBeams` texts; "never" until no better one is possible. @default false */
  readonly earlyStopping?: boolean | "never" | null;
  /** Sequences of tokens that may not occur. Rows are read from the device. */
  readonly badWordsIds?: readonly (readonly number[])[] | null;
  /** Tokens that may not occur. */
  readonly suppressTokens?: readonly number[] | null;
  /** Tokens that may not come first. */
  readonly beginSuppressTokens?: readonly number[] | null;
  /** The token behind the start token. */
  readonly forcedBosTokenId?: number | null;
  /** The token at the length limit. */
  readonly forcedEosTokenId?: number | readonly number[] | null;
  /** The tokens that end a row. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Fills rows behind their end. @default the first end token */
  readonly padTokenId?: number | null;
  /** The token that every row begins with. @default the begin-of-sequence token */
  readonly decoderStartTokenId?: number | null;
  /** A prompt for each row, all of one length; the start token is put before those that lack it. */
  readonly decoderInputIds?: readonly (readonly number[])[];
  /** Added to the score of a sequence's last token. Rows are read from the device. */
  readonly sequenceBias?: readonly (readonly [readonly number[], number])[] | null;
  /** From how many new tokens on, and how fast, end tokens become likelier. Rows are read from the device. */
  readonly exponentialDecayLengthPenalty?: readonly [number, number] | null;
  /** Not supported: an error unless it is null. */
  readonly assistantModel?: null;
  /** Whether positions are stretched to pictures of another size. @default false */
  readonly interpolatePosEncoding?: boolean;
  /** Accepted for Hugging Face's sake; the cache is always used. */
  readonly useCache?: boolean | null;
  /** Sampling with a seed repeats exactly: a whole number from 0 to 2^53 − 1. */
  readonly seed?: number | null;
  /** Whether the scores of each step are wanted, as they are after all rules. @default false */
  readonly outputScores?: boolean;
  /** Whether the attentions to the picture are wanted. @default false */
  readonly outputAttentions?: boolean;
  /** Receives tokens as they are decided; not with more than one beam or text. */
  readonly streamer?: Streamer;
  /** Stops the generation within a step. */
  readonly signal?: AbortSignal;
  /** Told a row's tokens after each step; true ends the row. */
  readonly stoppingCriteria?: readonly StoppingCriterion[];
  /** Applied behind the other rules and before those of sampling. Rows are read from the device. */
  readonly logitsProcessors?: readonly LogitsProcessor[];
  /** Is told how long it took; measuring costs one more wait for the device. */
  readonly onTimings?: (timings: Timings) => void;
}

/** Whether a row of tokens, the prompt first, is complete. */
export type StoppingCriterion = (tokens: readonly number[]) => boolean;

/** The settings of one generation, resolved. */
export interface Generation extends GenerationSettings {
  /** The prompt of each picture, the start token first. */
  readonly prompts: readonly (readonly number[])[];
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
  readonly padTokenId: number;
}

/** Options that belong to one call and are no settings. */
const callOptions = new Set([
  "decoderInputIds",
  "assistantModel",
  "interpolatePosEncoding",
  "seed",
  "outputScores",
  "outputAttentions",
  "streamer",
  "signal",
  "stoppingCriteria",
  "logitsProcessors",
  "onTimings",
]);

/** Options that stand for a setting. */
const settingOptions = new Set(
  ("maxNewTokens maxLength minNewTokens minLength numBeams numReturnSequences doSample temperature topK topP minP " +
    "typicalP epsilonCutoff etaCutoff repetitionPenalty noRepeatNgramSize lengthPenalty earlyStopping badWordsIds " +
    "suppressTokens beginSuppressTokens forcedBosTokenId forcedEosTokenId eosTokenId padTokenId decoderStartTokenId " +
    "sequenceBias exponentialDecayLengthPenalty useCache").split(" "),
);

const settingOf = (option: string): string => option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * Lay options over settings.
 *
 * @throws {OptionError} If an option does not exist, or asks for what cannot be done.
 */
export function layOptions(settings: GenerationConfig, options: GenerateOptions): GenerationConfig {
  const laid: GenerationConfig = { ...settings };
  for (const [option, value] of Object.entries(options)) {
    if (settingOptions.has(option)) {
      if (value !== undefined) laid[settingOf(option)] = value;
    } else if (!callOptions.has(option)) {
      throw new OptionError(
        `Cannot generate with the option "${option}": it does not exist; the options are ${
          [...settingOptions, ...callOptions].join(", ")
        }`,
      );
    }
  }
  if ((options.assistantModel ?? null) !== null) {
    throw new OptionError("Cannot generate with assistantModel: assisted generation is not supported; leave it out");
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
  const resolved = settingsOf(laid, options, vocabularySize);
  const { eosTokenIds } = resolved;
  // Without an end token nothing ends early, and nothing is filled.
  const padTokenId = tokenId(laid, "pad_token_id", vocabularySize) ?? eosTokenIds[0] ?? 0;
  if (prompts.length !== batch) {
    throw new OptionError(
      `Cannot generate: there are ${batch} pictures, but decoderInputIds has ${prompts.length} rows`,
    );
  }
  checkConflicts(resolved, options, maxLength, length);
  return { ...resolved, prompts, maxLength, padTokenId };
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
