// The rules that change a row of scores before a token is taken from it, in the order of Transformers'
// `_get_logits_processor`. Each works in place on one row; those of sampling are in sampling_warpers.ts.
import { isEnd } from "../request/conflicts.ts";
import type { GenerationSettings } from "../request/settings.ts";
import { warpersOf } from "./sampling_warpers.ts";

/**
 * Changes the scores of a row's next token.
 *
 * @param tokens The row's tokens so far, the prompt first.
 * @param scores A score for each token of the vocabulary: logits, or log-probabilities in beam search. It is changed in
 * place; −Infinity forbids a token.
 */
export type LogitsProcessor = (tokens: readonly number[], scores: Float32Array) => void;

/** The places that the rules of a row of tokens depend on. */
export interface Place {
  /** Tokens of the prompt, the start token included. */
  readonly promptLength: number;
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
}

/** Forbid tokens. */
function forbid(ids: readonly number[], scores: Float32Array): void {
  for (const id of ids) scores[id] = -Infinity;
}

function force(ids: readonly number[], scores: Float32Array): void {
  scores.fill(-Infinity);
  for (const id of ids) scores[id] = 0;
}

/** SequenceBiasLogitsProcessor: adds a bias to the last token of sequences that the row has begun. */
function sequenceBias(biases: readonly (readonly [readonly number[], number])[]): LogitsProcessor {
  // Of a sequence that is given twice the last bias counts.
  const distinct = new Map(biases.map(([sequence, bias]) => [sequence.join(), [sequence, bias] as const]));
  return (tokens, scores) => {
    const added = new Map<number, number>();
    for (const [sequence, bias] of distinct.values()) {
      const last = sequence.length - 1;
      const from = tokens.length - last;
      if (from < 0 || sequence.some((id, i) => i < last && id !== tokens[from + i])) continue;
      added.set(sequence[last], (added.get(sequence[last]) ?? 0) + bias);
    }
    for (const [id, bias] of added) scores[id] += bias;
  };
}

/** RepetitionPenaltyLogitsProcessor. */
function repetitionPenalty(penalty: number): LogitsProcessor {
  return (tokens, scores) => {
    for (const id of new Set(tokens)) scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  };
}

/** NoRepeatNGramLogitsProcessor. */
function noRepeatNgrams(size: number): LogitsProcessor {
  return (tokens, scores) => {
    const prefix = tokens.length + 1 - size;
    for (let at = 0; at + size <= tokens.length; at++) {
      let same = true;
      for (let i = 0; same && i < size - 1; i++) same = tokens[at + i] === tokens[prefix + i];
      if (same) scores[tokens[at + size - 1]] = -Infinity;
    }
  };
}

/** ExponentialDecayLengthPenalty. */
function exponentialDecay([start, factor]: readonly [number, number], ends: readonly number[], from: number) {
  return (tokens: readonly number[], scores: Float32Array): void => {
    const beyond = tokens.length - from - start;
    if (beyond <= 0) return;
    for (const id of new Set(ends)) {
      if (Number.isFinite(scores[id])) scores[id] += Math.fround(Math.abs(scores[id]) * (factor ** beyond - 1));
    }
  };
}

/** InfNanRemoveLogitsProcessor. */
function removeInvalidValues(_: readonly number[], scores: Float32Array): void {
  const most = 2 ** 128 - 2 ** 104;
  for (let id = 0; id < scores.length; id++) {
    scores[id] = Number.isNaN(scores[id]) ? 0 : Math.min(Math.max(scores[id], -most), most);
  }
}

/** LogitNormalization: scores become log-probabilities. */
export function logSoftmax(scores: Float32Array): void {
  let highest = -Infinity;
  for (let id = 0; id < scores.length; id++) if (scores[id] > highest) highest = scores[id];
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id] - highest);
  const total = highest + Math.log(sum);
  for (let id = 0; id < scores.length; id++) scores[id] -= total;
}

/** A rule that depends on nothing but how long a row is: the device can apply it. */
export interface LengthRule {
  /** Whether it holds for the next token of a row of so many. */
  readonly holds: (length: number) => boolean;
  /** Forbid tokens, or force one. */
  readonly apply: (scores: Float32Array) => void;
}

/** The rules that depend on nothing but how long a row is, in their order. */
export function lengthRules(settings: GenerationSettings, { promptLength, maxLength }: Place): LengthRule[] {
  const { eosTokenIds, forcedBosTokenIds, forcedEosTokenIds, suppressTokens, beginSuppressTokens } = settings;
  const rules: LengthRule[] = [];
  const words = badWordsOf(settings).filter(({ length }) => length === 1).flat();
  if (words.length > 0) rules.push({ holds: () => true, apply: (scores) => forbid(words, scores) });
  const minLength = settings.minNewTokens === undefined ? settings.minLength : promptLength + settings.minNewTokens;
  if (minLength > 0 && eosTokenIds.length > 0) {
    rules.push({ holds: (length) => length < minLength, apply: (scores) => forbid(eosTokenIds, scores) });
  }
  if (forcedBosTokenIds.length > 0) {
    rules.push({ holds: (length) => length === 1, apply: (scores) => force(forcedBosTokenIds, scores) });
  }
  if (forcedEosTokenIds.length > 0) {
    rules.push({ holds: (length) => length === maxLength - 1, apply: (scores) => force(forcedEosTokenIds, scores) });
  }
  return [...rules, ...suppressions(suppressTokens, beginSuppressTokens, settings, promptLength)];
}

function suppressions(
  always: readonly number[],
  atBeginning: readonly number[],
  { forcedBosTokenIds }: GenerationSettings,
  promptLength: number,
): LengthRule[] {
  const rules: LengthRule[] = [];
  if (always.length > 0) rules.push({ holds: () => true, apply: (scores) => forbid(always, scores) });
  if (atBeginning.length > 0) {
    const begin = promptLength > 1 || forcedBosTokenIds.length === 0 ? promptLength : promptLength + 1;
    rules.push({ holds: (length) => length === begin, apply: (scores) => forbid(atBeginning, scores) });
  }
  return rules;
}

/** A rule of the length as one of rows. */
function ofRows({ holds, apply }: LengthRule): LogitsProcessor {
  return (tokens, scores) => {
    if (holds(tokens.length)) apply(scores);
  };
}

/** The sequences that may not occur: end tokens may. */
function badWordsOf({ badWordsIds, eosTokenIds }: GenerationSettings): (readonly number[])[] {
  return badWordsIds.filter((word) => !isEnd(word, eosTokenIds));
}

/** Whether a rule is none that programs have (selection_program.ts), so that rows are read from the device. */
export function needsRows(settings: GenerationSettings): boolean {
  return settings.sequenceBias.length > 0 || settings.badWordsIds.some(({ length }) => length > 1) ||
    settings.exponentialDecayLengthPenalty !== undefined || settings.removeInvalidValues ||
    settings.renormalizeLogits || settings.logitsProcessors.length > 0;
}

/** All rules of a generation in Hugging Face's order, with those of sampling. */
export function processorsOf(settings: GenerationSettings, place: Place): LogitsProcessor[] {
  const { eosTokenIds, exponentialDecayLengthPenalty: decay } = settings;
  const processors: LogitsProcessor[] = [];
  if (settings.sequenceBias.length > 0) processors.push(sequenceBias(settings.sequenceBias));
  if (settings.repetitionPenalty !== 1) processors.push(repetitionPenalty(settings.repetitionPenalty));
  if (settings.noRepeatNgramSize > 0) processors.push(noRepeatNgrams(settings.noRepeatNgramSize));
  const words = badWordsOf(settings).filter(({ length }) => length > 1);
  if (words.length > 0) processors.push(sequenceBias(words.map((word) => [word, -Infinity] as const)));
  const rules = lengthRules({ ...settings, suppressTokens: [], beginSuppressTokens: [] }, place);
  processors.push(...rules.map(ofRows));
  if (settings.removeInvalidValues) processors.push(removeInvalidValues);
  if (decay) processors.push(exponentialDecay(decay, eosTokenIds, place.promptLength));
  const { suppressTokens, beginSuppressTokens } = settings;
  processors.push(...suppressions(suppressTokens, beginSuppressTokens, settings, place.promptLength).map(ofRows));
  processors.push(...settings.logitsProcessors, ...warpersOf(settings));
  if (settings.renormalizeLogits) processors.push((_, scores) => logSoftmax(scores));
  return processors;
}
