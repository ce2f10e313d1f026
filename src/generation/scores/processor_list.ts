// The processors of a generation in programs, where all that are asked for have a form there; and whether they have. Those of
// the host are in host_processors.ts.
import type { Value } from "../../graph/mod.ts";
import type { GenerationSettings } from "../request/settings.ts";
import { forbidOwnNgrams, forbidRepeatedNgrams } from "./no_repeat_ngrams.ts";
import { penalizeRepetition } from "./repetition_penalty.ts";
import { ownHistory, tokenHistory } from "./token_history.ts";
import { lengthProcessors, type RowLengths, underMask } from "./token_mask.ts";

/** Longer sequences are looked for on the host: a program has an operator for each of their tokens. */
export const longestProgramNgram = 32;

/** Whether a processor is asked for that programs do not have, so that rows of scores are read from the device. */
export function needsRows(settings: GenerationSettings): boolean {
  return settings.noRepeatNgramSize > longestProgramNgram || settings.sequenceBias.length > 0 ||
    settings.badWordsIds.some(({ length }) => length > 1) ||
    settings.exponentialDecayLengthPenalty !== undefined || settings.removeInvalidValues ||
    settings.renormalizeLogits || settings.logitsProcessors.length > 0;
}

/**
 * Whether the host takes a generation's tokens, from rows of scores that it reads: a program cannot, or cannot say that
 * n-grams leave no token to draw.
 */
export function isDecidedOnHost(generation: GenerationSettings): boolean {
  const { outputScores, doSample, noRepeatNgramSize } = generation;
  return outputScores || needsRows(generation) ||
    (doSample && (needsDistribution(generation) || noRepeatNgramSize > 0));
}

/** Whether sampling needs the whole distribution, beyond temperature and the k likeliest, which programs have. */
export function needsDistribution(settings: GenerationSettings): boolean {
  const { topH, topP, minP, typicalP, epsilonCutoff, etaCutoff } = settings;
  return topH !== undefined || topP < 1 || minP !== undefined || typicalP < 1 || epsilonCutoff > 0 || etaCutoff > 0;
}

/** Which processors a program applies. */
export interface ProgramProcessors {
  /** Whether tokens that a row has are penalised. */
  readonly repetitionPenalty: boolean;
  /** Sequences of so many tokens do not come again; 0: they may. */
  readonly noRepeatNgramSize: number;
  /** Whether tokens are forbidden or forced at certain lengths. */
  readonly tokenMask: boolean;
}

/** None of them. */
export const noProcessors: ProgramProcessors = { repetitionPenalty: false, noRepeatNgramSize: 0, tokenMask: false };

/** The processors of a generation in its programs, if none needs rows to be read. */
export function programProcessorsOf(settings: GenerationSettings, lengths: RowLengths): ProgramProcessors {
  return {
    repetitionPenalty: settings.repetitionPenalty !== 1,
    noRepeatNgramSize: settings.noRepeatNgramSize,
    tokenMask: lengthProcessors(settings, lengths).length > 0,
  };
}

/**
 * Process scores in a program.
 *
 * @param scores Shape [rows, V].
 * @param processors Which of them; of sampling, temperature comes after those that look back.
 */
export function processScores(
  scores: Value,
  { repetitionPenalty, noRepeatNgramSize, tokenMask }: ProgramProcessors,
  warp: (scores: Value) => Value = (scores) => scores,
): Value {
  if (repetitionPenalty || noRepeatNgramSize > 0) {
    const history = tokenHistory(scores);
    if (repetitionPenalty) scores = penalizeRepetition(scores, history);
    if (noRepeatNgramSize > 0) scores = forbidRepeatedNgrams(scores, history, noRepeatNgramSize);
  }
  scores = warp(scores);
  return tokenMask ? underMask(scores) : scores;
}

/**
 * Process scores in a program whose rows have lengths and values of their own.
 *
 * @param scores Shape [rows, V].
 * @param past Tokens of each row but the last, [rows], int64.
 * @param processors Those that any row has; of a row that has not, the values are such that they change nothing.
 * @param warp What comes after those that look back.
 */
export function processOwnScores(
  scores: Value,
  past: Value,
  { repetitionPenalty, noRepeatNgramSize, tokenMask }: ProgramProcessors,
  warp: (scores: Value) => Value,
): Value {
  const [rows] = scores.shape;
  if (repetitionPenalty || noRepeatNgramSize > 0) {
    const history = ownHistory(scores, past);
    if (repetitionPenalty) scores = penalizeRepetition(scores, history, rows);
    if (noRepeatNgramSize > 0) scores = forbidOwnNgrams(scores, history, noRepeatNgramSize);
  }
  scores = warp(scores);
  return tokenMask ? underMask(scores, rows) : scores;
}
