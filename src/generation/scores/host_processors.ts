// The processors of a generation on the host, where rows of scores are read, in the order of Transformers'
// `_get_logits_processor`.
import type { GenerationSettings } from "../request/settings.ts";
import { exponentialDecay } from "./exponential_decay.ts";
import type { LogitsProcessor } from "./logits_processor.ts";
import { noRepeatNgrams } from "./no_repeat_ngrams.ts";
import { logSoftmax, removeInvalidValues } from "./normalization.ts";
import { epsilonCutoff, etaCutoff, minP } from "./probability_cutoffs.ts";
import { repetitionPenalty } from "./repetition_penalty.ts";
import { badWordsOf, sequenceBias } from "./sequence_bias.ts";
import { temperature } from "./temperature.ts";
import { onRows, type RowLengths, suppressionProcessors, wordAndLengthProcessors } from "./token_mask.ts";
import { topH } from "./top_h.ts";
import { topK } from "./top_k.ts";
import { topP } from "./top_p.ts";
import { typicalP } from "./typical_p.ts";

/** All processors of a generation, with those of sampling. */
export function processorsOf(settings: GenerationSettings, lengths: RowLengths): LogitsProcessor[] {
  const { eosTokenIds, exponentialDecayLengthPenalty: decay } = settings;
  const processors: LogitsProcessor[] = [];
  if (settings.sequenceBias.length > 0) processors.push(sequenceBias(settings.sequenceBias));
  if (settings.repetitionPenalty !== 1) processors.push(repetitionPenalty(settings.repetitionPenalty));
  if (settings.noRepeatNgramSize > 0) processors.push(noRepeatNgrams(settings.noRepeatNgramSize));
  const words = badWordsOf(settings).filter(({ length }) => length > 1);
  if (words.length > 0) processors.push(sequenceBias(words.map((word) => [word, -Infinity] as const)));
  processors.push(...wordAndLengthProcessors(settings, lengths).map(onRows));
  if (settings.removeInvalidValues) processors.push(removeInvalidValues);
  if (decay) processors.push(exponentialDecay(decay, eosTokenIds, lengths.promptLength));
  processors.push(...suppressionProcessors(settings, lengths).map(onRows));
  processors.push(...settings.logitsProcessors, ...warpersOf(settings));
  if (settings.renormalizeLogits) processors.push((_, scores) => logSoftmax(scores));
  return processors;
}

/** The processors of sampling, which say what may be drawn at all; none if the generation does not sample. */
function warpersOf(settings: GenerationSettings): LogitsProcessor[] {
  if (!settings.doSample) return [];
  const kept = settings.numBeams > 1 ? Math.max(1, settings.eosTokenIds.length) + 1 : 1;
  const warpers: LogitsProcessor[] = [];
  if (settings.temperature !== 1) warpers.push(temperature(settings.temperature));
  if (settings.topH !== undefined) warpers.push(topH(settings.topH));
  if (settings.topK !== 0) warpers.push(topK(settings.topK, kept));
  if (settings.topP < 1) warpers.push(topP(settings.topP, kept));
  if (settings.minP !== undefined) warpers.push(minP(settings.minP, kept));
  if (settings.typicalP < 1) warpers.push(typicalP(settings.typicalP, kept));
  if (settings.epsilonCutoff > 0) warpers.push(epsilonCutoff(settings.epsilonCutoff, kept));
  if (settings.etaCutoff > 0) warpers.push(etaCutoff(settings.etaCutoff, kept));
  return warpers;
}
