// The settings of one generation: generation_config.json's keys with a person's options over them, checked and typed.
import { OptionError } from "../errors.ts";
import type { GenerationConfig } from "./generation_config.ts";
import type { GenerateOptions, StoppingCriterion } from "./options.ts";
import type { LogitsProcessor } from "./processors.ts";

/** Settings with every default filled in; an empty list is no rule. */
export interface GenerationSettings {
  readonly eosTokenIds: readonly number[];
  readonly minLength: number;
  readonly minNewTokens?: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly doSample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP?: number;
  readonly typicalP: number;
  readonly epsilonCutoff: number;
  readonly etaCutoff: number;
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | "never";
  readonly badWordsIds: readonly (readonly number[])[];
  readonly suppressTokens: readonly number[];
  readonly beginSuppressTokens: readonly number[];
  readonly forcedBosTokenId?: number;
  readonly forcedEosTokenIds: readonly number[];
  readonly sequenceBias: readonly (readonly [readonly number[], number])[];
  readonly exponentialDecayLengthPenalty?: readonly [number, number];
  readonly logitsProcessors: readonly LogitsProcessor[];
  readonly stoppingCriteria: readonly StoppingCriterion[];
  readonly seed?: number;
  readonly outputScores: boolean;
}

const refuse = (key: string, value: unknown, expected: string): never => {
  throw new OptionError(`Cannot generate with ${key} = ${JSON.stringify(value)}: expected ${expected}`);
};

/**
 * Check and type settings.
 *
 * @throws {OptionError} If a value is none that the setting takes.
 */
export function settingsOf(
  laid: GenerationConfig,
  { seed, logitsProcessors, stoppingCriteria, outputScores }: GenerateOptions,
  vocabularySize: number,
): GenerationSettings {
  const number = (key: string, valid: (value: number) => boolean, expected: string): number | undefined => {
    const value = laid[key] ?? undefined;
    return value === undefined || (typeof value === "number" && valid(value)) ? value : refuse(key, value, expected);
  };
  const count = (key: string, least: number) =>
    number(key, (n) => Number.isInteger(n) && n >= least, `a whole number, at least ${least}`);
  const share = (key: string) => number(key, (n) => n >= 0 && n <= 1, "a number from 0 to 1");
  const positive = (key: string) => number(key, (n) => n > 0 && n < Infinity, "a number above 0");
  const isToken = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabularySize;
  const tokens = (key: string, value: unknown = laid[key]): number[] => {
    const ids = [value ?? []].flat();
    return ids.every(isToken) ? ids as number[] : refuse(key, value, `token ids below ${vocabularySize}`);
  };
  const list = (key: string): unknown[] => {
    const value = laid[key] ?? [];
    return Array.isArray(value) ? value : refuse(key, value, "a list");
  };
  const sequence = (key: string, value: unknown): number[] =>
    Array.isArray(value) && value.length > 0 ? tokens(key, value) : refuse(key, value, "a list of token ids");
  const flag = laid.do_sample ?? false;
  if (typeof flag !== "boolean") refuse("do_sample", flag, "true or false");
  const early = laid.early_stopping ?? false;
  if (typeof early !== "boolean" && early !== "never") refuse("early_stopping", early, 'true, false or "never"');
  const decay = laid.exponential_decay_length_penalty ?? undefined;
  if (decay !== undefined && !(Array.isArray(decay) && decay.length === 2 && decay.every(Number.isFinite))) {
    refuse("exponential_decay_length_penalty", decay, "[start, factor]");
  }
  if (seed !== undefined && seed !== null && (!Number.isSafeInteger(seed) || seed < 0)) {
    refuse("seed", seed, "a whole number from 0 to 2^53 − 1");
  }
  return {
    eosTokenIds: tokens("eos_token_id"),
    minLength: count("min_length", 0) ?? 0,
    minNewTokens: count("min_new_tokens", 0),
    numBeams: count("num_beams", 1) ?? 1,
    numReturnSequences: count("num_return_sequences", 1) ?? 1,
    doSample: flag as boolean,
    temperature: positive("temperature") ?? 1,
    topK: laid.top_k === null ? 0 : count("top_k", 0) ?? 50,
    topP: share("top_p") ?? 1,
    minP: share("min_p"),
    typicalP: number("typical_p", (p) => p > 0 && p <= 1, "a number above 0, at most 1") ?? 1,
    epsilonCutoff: number("epsilon_cutoff", (p) => p >= 0 && p < 1, "a number from 0, below 1") ?? 0,
    etaCutoff: number("eta_cutoff", (p) => p >= 0 && p < 1, "a number from 0, below 1") ?? 0,
    repetitionPenalty: positive("repetition_penalty") ?? 1,
    noRepeatNgramSize: count("no_repeat_ngram_size", 0) ?? 0,
    lengthPenalty: number("length_penalty", Number.isFinite, "a number") ?? 1,
    earlyStopping: early as boolean | "never",
    badWordsIds: list("bad_words_ids").map((word) => sequence("bad_words_ids", word)),
    suppressTokens: tokens("suppress_tokens"),
    beginSuppressTokens: tokens("begin_suppress_tokens"),
    forcedBosTokenId: tokens("forced_bos_token_id")[0],
    forcedEosTokenIds: tokens("forced_eos_token_id"),
    sequenceBias: list("sequence_bias").map((entry) => {
      const [ids, bias] = Array.isArray(entry) ? entry : [];
      return Number.isFinite(bias)
        ? [sequence("sequence_bias", ids), bias]
        : refuse("sequence_bias", entry, "[ids, bias]");
    }),
    exponentialDecayLengthPenalty: decay as [number, number] | undefined,
    logitsProcessors: logitsProcessors ?? [],
    stoppingCriteria: stoppingCriteria ?? [],
    seed: seed ?? undefined,
    outputScores: outputScores ?? false,
  };
}

/** Options that only sampling heeds, with the values that change nothing. */
const ofSampling = { temperature: 1, topK: 50, topP: 1, minP: 0, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 };

/**
 * Check that settings do not contradict one another.
 *
 * @throws {OptionError} If they do, or an option would have no effect.
 */
export function checkConflicts(
  settings: GenerationSettings,
  options: GenerateOptions,
  maxLength: number,
  promptLength: number,
): void {
  const { doSample, numBeams, numReturnSequences } = settings;
  const conflict = (what: string): never => {
    throw new OptionError(`Cannot generate: ${what}`);
  };
  if (numBeams === 1 && !doSample && numReturnSequences > 1) {
    conflict(`numReturnSequences is ${numReturnSequences}, but greedy search gives one text; set numBeams or doSample`);
  }
  if (numBeams > 1 && numReturnSequences > numBeams) {
    conflict(`numReturnSequences is ${numReturnSequences}, but there are ${numBeams} beams`);
  }
  for (const [option, neutral] of doSample ? [] : Object.entries({ ...ofSampling, seed: undefined })) {
    const value = options[option as keyof GenerateOptions] ?? neutral;
    if (value !== neutral) conflict(`${option} is ${value}, which only sampling heeds; set doSample`);
  }
  if (numBeams === 1 && (options.earlyStopping || (options.lengthPenalty ?? 1) !== 1)) {
    conflict("earlyStopping and lengthPenalty are heeded by beam search only; set numBeams");
  }
  if (options.streamer && (numBeams > 1 || numReturnSequences > 1)) {
    conflict(
      "a streamer takes one text a picture as it is decided, and beams are decided at the end; set numBeams to 1",
    );
  }
  const { minNewTokens, minLength, suppressTokens } = settings;
  const least = minNewTokens === undefined ? minLength : promptLength + minNewTokens;
  if (least > maxLength && ((options.minNewTokens ?? options.minLength ?? null) !== null)) {
    conflict(`at least ${least} tokens are asked for, but at most ${maxLength}`);
  }
  const forced = {
    forcedBosTokenId: [settings.forcedBosTokenId ?? []].flat(),
    forcedEosTokenId: settings.forcedEosTokenIds,
  };
  for (const [name, ids] of Object.entries(forced)) {
    if (ids.length > 0 && ids.every((id) => suppressTokens.includes(id))) {
      conflict(`${name} is ${ids}, which suppressTokens forbids`);
    }
  }
}
