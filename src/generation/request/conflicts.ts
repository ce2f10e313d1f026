// What cannot be done though each setting by itself could: settings that contradict one another, options that would have
// no effect, and what a model's files ask for that Limner does not have. None of it is silently ignored.
import { OptionError } from "../../errors/mod.ts";
import type { GenerationConfig } from "./generation_config.ts";
import type { GenerateOptions } from "./generate_options.ts";
import type { Generation } from "./generation.ts";
import { type GenerationSettings, ofBeams, ofSampling } from "./settings.ts";
import { show } from "./option_values.ts";

const conflict = (what: string): never => {
  throw new OptionError(`Cannot generate: ${what}`);
};

/**
 * Settings of Transformers that change what is generated and that Limner does not have, with when they do. Others that
 * it does not have, such as `cache_implementation`, change no result.
 */
const unsupported: Readonly<Record<string, (value: unknown, settings: GenerationSettings) => boolean>> = {
  guidance_scale: (value) => value !== 1,
  watermarking_config: () => true,
  constraints: () => true,
  force_words_ids: () => true,
  max_time: () => true,
  stop_strings: () => true,
  token_healing: Boolean,
  num_beam_groups: (value, { numBeams }) => value as number > 1 && numBeams > 1,
  penalty_alpha: (value, { numBeams, doSample, topK }) =>
    value as number > 0 && numBeams === 1 && !doSample && topK > 1,
  dola_layers: (_, { numBeams }) => numBeams === 1,
};

/** The keys of generation_config.json that are refused where they would have an effect. */
export const refusedKeys: readonly string[] = Object.keys(unsupported);

/**
 * Check that a model's files ask for nothing that Limner does not have.
 *
 * @throws {OptionError} If they do.
 */
export function checkSupported(model: GenerationConfig, settings: GenerationSettings): void {
  for (const [key, matters] of Object.entries(unsupported)) {
    const value = model[key] ?? undefined;
    if (value === undefined || !matters(value, settings)) continue;
    conflict(`the model's ${key} is ${show(value)}, which Limner does not have; set generationConfig.${key} to null`);
  }
}

function checkMethod(settings: GenerationSettings, options: GenerateOptions): void {
  const { doSample, numBeams, numReturnSequences, streamer } = settings;
  if (numBeams === 1 && !doSample && numReturnSequences > 1) {
    conflict(`numReturnSequences is ${numReturnSequences}, but greedy search gives one text; set numBeams or doSample`);
  }
  if (numBeams > 1 && numReturnSequences > numBeams) {
    conflict(`numReturnSequences is ${numReturnSequences}, but there are ${numBeams} beams (numBeams)`);
  }
  const unheeded = (method: string, neutral: Readonly<Record<string, unknown>>) => {
    for (const [option, value] of Object.entries(neutral)) {
      const given = options[option as keyof GenerateOptions] ?? value;
      if (given !== value) conflict(`${option} is ${show(given)}, which does nothing without ${method}`);
    }
  };
  if (!doSample) unheeded("sampling; set doSample", ofSampling);
  if (numBeams === 1) unheeded("beams; set numBeams", ofBeams);
  if (streamer && (numBeams > 1 || numReturnSequences > 1)) {
    const [option, value] = numBeams > 1 ? ["numBeams", numBeams] : ["numReturnSequences", numReturnSequences];
    conflict(`${option} is ${value}, but a streamer takes one text a picture, as it is decided; set ${option} to 1`);
  }
}

function checkTokens({ eosTokenIds, ...settings }: GenerationSettings, vocabulary: number): void {
  const suppressed = new Set(settings.suppressTokens.filter((id) => id >= 0 && id < vocabulary));
  if (suppressed.size === vocabulary) conflict("suppressTokens forbids every token");
  for (const option of ["forcedBosTokenId", "forcedEosTokenId"] as const) {
    const ids = settings[`${option}s`];
    if (ids.length > 0 && ids.every((id) => suppressed.has(id))) {
      conflict(`${option} is ${ids}, which suppressTokens forbids`);
    }
  }
  const { exponentialDecayLengthPenalty } = settings;
  if (exponentialDecayLengthPenalty && eosTokenIds.length === 0) {
    conflict("exponentialDecayLengthPenalty makes end tokens likelier, but there is none; set eosTokenId");
  }
}

/**
 * Check that settings do not contradict one another.
 *
 * @param options What a person said of them: an option of no effect is an error, a model's setting is not.
 * @throws {OptionError} If they do.
 */
export function checkConflicts(
  settings: Generation,
  options: GenerateOptions,
  vocabularySize: number,
): void {
  checkMethod(settings, options);
  checkTokens(settings, vocabularySize);
  const { minNewTokens, minLength, maxLength, promptLength } = settings;
  const least = minNewTokens === undefined ? minLength : promptLength + minNewTokens;
  const option = minNewTokens === undefined ? "minLength" : "minNewTokens";
  if (least > maxLength && (options[option] ?? null) !== null) {
    conflict(`${option} is ${options[option]}, so that a text has at least ${least} tokens, but at most ${maxLength}`);
  }
}
