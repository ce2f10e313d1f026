// What a person may ask of generate(). Nothing is silently ignored: an option that does not exist, contradicts another,
// has no effect or cannot be honoured is an error (settings.ts, conflicts.ts).
import type { Tensor } from "../../tensor/mod.ts";
import type { LogitsProcessor } from "../scores/logits_processor.ts";

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

/**
 * Options of `generate`, Hugging Face's in camelCase; undefined takes the model's setting, null unsets it.
 *
 * An option that would do nothing is an error, where Transformers warns: those of sampling without `doSample`, and
 * `lengthPenalty` and `earlyStopping` without beams. What the model's files say is let be there. Everything stays on the
 * device but for the options that say that rows of scores are read, `outputScores`, and beams that are sampled.
 *
 * Where scores are exactly equal the first token is taken; Transformers' beams then take any of them.
 */
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
  /** Draw from the likeliest tokens that together have this share of their entropy. Rows are read from the device. */
  readonly topH?: number | null;
  /** Draw from this many of the likeliest tokens; 0 for all. @default 50 */
  readonly topK?: number | null;
  /** Draw from the likeliest tokens that together have this probability. Rows are read from the device. @default 1 */
  readonly topP?: number | null;
  /** Draw from tokens that have this share of the likeliest one's probability. Rows are read from the device. */
  readonly minP?: number | null;
  /** Draw from the most typical tokens that together have this probability. Rows are read from the device. @default 1 */
  readonly typicalP?: number | null;
  /** Draw from tokens of at least this probability. Rows are read from the device. @default 0 */
  readonly epsilonCutoff?: number | null;
  /** As `epsilonCutoff`, lowered where the distribution is flat. Rows are read from the device. @default 0 */
  readonly etaCutoff?: number | null;
  /** Divides the scores of tokens that a row has. @default 1 */
  readonly repetitionPenalty?: number | null;
  /** Sequences of this many tokens may occur once. Rows are read from the device where tokens are drawn. @default 0 */
  readonly noRepeatNgramSize?: number | null;
  /** The exponent of a beam's length, by which its score is divided. @default 1 */
  readonly lengthPenalty?: number | null;
  /** Whether beam search ends with the first `numBeams` texts; "never" until no better one is possible. @default false */
  readonly earlyStopping?: boolean | "never" | null;
  /** Sequences of tokens that may not occur. Rows are read from the device where one has several tokens. */
  readonly badWordsIds?: readonly (readonly number[])[] | null;
  /** Tokens that may not occur. */
  readonly suppressTokens?: readonly number[] | null;
  /** Tokens that may not come first. */
  readonly beginSuppressTokens?: readonly number[] | null;
  /** The token after the start token; of several the likeliest is taken, or one is drawn. */
  readonly forcedBosTokenId?: number | readonly number[] | null;
  /** The token at the length limit, or several. */
  readonly forcedEosTokenId?: number | readonly number[] | null;
  /** The tokens that end a row. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Fills rows after their end. @default the first end token */
  readonly padTokenId?: number | null;
  /** The token that rows begin with where there is no `decoderStartTokenId`. */
  readonly bosTokenId?: number | null;
  /** The token that rows begin with, or one for each row. @default `bosTokenId` */
  readonly decoderStartTokenId?: number | readonly number[] | null;
  /** A prompt for each picture, all of one length; the start token is put before them if none begins with it. */
  readonly decoderInputIds?: readonly (readonly number[])[] | Tensor | null;
  /** Added to the score of a sequence's last token. Rows are read from the device. */
  readonly sequenceBias?: readonly (readonly [readonly number[], number])[] | null;
  /** From how many new tokens on, and how fast, end tokens become likelier. Rows are read from the device. */
  readonly exponentialDecayLengthPenalty?: readonly [number, number] | null;
  /** Whether scores that are no numbers become 0, and infinite ones finite. Rows are read from the device. @default false */
  readonly removeInvalidValues?: boolean | null;
  /** Whether scores become log-probabilities again, after all processors. Rows are read from the device. @default false */
  readonly renormalizeLogits?: boolean | null;
  /** Not supported: an error unless it is null. */
  readonly assistantModel?: null;
  /** Whether positions are stretched to pictures of another size. @default false */
  readonly interpolatePosEncoding?: boolean;
  /** Accepted for Hugging Face's sake; the cache is always used. */
  readonly useCache?: boolean | null;
  /** Sampling with a seed repeats exactly: a whole number from 0 to 2^53 − 1. */
  readonly seed?: number | null;
  /**
   * The place of the first picture among all that share the seed, which with the seed says what is drawn for it.
   *
   * @default 0
   */
  readonly firstPicture?: number;
  /** Whether the scores of each step are wanted, as they are after all processors. Rows are read from the device. @default false */
  readonly outputScores?: boolean;
  /**
   * Whether it is wanted how sure the model was of each new token. It is computed where the token is chosen.
   *
   * @default false
   */
  readonly outputConfidences?: boolean;
  /** Whether the attentions to the picture are wanted. @default false */
  readonly outputAttentions?: boolean;
  /** Receives tokens as they are decided; not with more than one beam or text. */
  readonly streamer?: Streamer;
  /** Stops the generation within a step. */
  readonly signal?: AbortSignal;
  /** Told a row's tokens after each step; true ends the row. */
  readonly stoppingCriteria?: readonly StoppingCriterion[];
  /** Applied after the other processors and before those of sampling. Rows are read from the device. */
  readonly logitsProcessors?: readonly LogitsProcessor[];
  /** Is called with how long it took; measuring costs one more wait for the device. */
  readonly onTimings?: (timings: Timings) => void;
}

/**
 * Whether a row of tokens, the prompt first, is complete: then the pad token fills it. Where there is no end token
 * Transformers lets such a row go on until all are complete, and fills beams with −1.
 */
export type StoppingCriterion = (tokens: readonly number[]) => boolean;
