// The settings of one generation, read from a person's options and, where these say nothing, from the model's own
// settings. A table says what each may be.
import { OptionError } from "../../errors/mod.ts";
import { isRecord } from "../../hub/mod.ts";
import { Tensor } from "../../tensor/mod.ts";
import type { GenerationConfig } from "./generation_config.ts";
import type { GenerateOptions, StoppingCriterion, Streamer, Timings } from "./generate_options.ts";
import type { LogitsProcessor } from "../scores/logits_processor.ts";
import * as values from "./option_values.ts";

const { any, or, whole } = values;

/** Settings that a model's files may have; an empty list asks for nothing. */
const modelSettings = {
  maxNewTokens: whole(1),
  maxLength: whole(1),
  minNewTokens: whole(0),
  minLength: or(0, whole(0)),
  numBeams: or(1, whole(1)),
  numReturnSequences: or(1, whole(1)),
  doSample: values.flag,
  temperature: or(1, values.temperature),
  topH: values.positiveShare,
  topK: or(50, whole(0)),
  topP: or(1, values.share),
  minP: values.share,
  typicalP: or(1, values.positiveShare),
  epsilonCutoff: or(0, values.cutoff),
  etaCutoff: or(0, values.cutoff),
  repetitionPenalty: or(1, values.positive),
  noRepeatNgramSize: or(0, whole(0)),
  lengthPenalty: or(1, values.real),
  earlyStopping: or<boolean | "never">(
    false,
    any('true, false or "never"', (value) => typeof value === "boolean" || value === "never"),
  ),
  badWordsIds: or([], values.sequences),
  suppressTokens: values.tokens({ lenient: true }),
  beginSuppressTokens: values.tokens({ lenient: true }),
  forcedBosTokenIds: values.tokens(),
  forcedEosTokenIds: values.tokens(),
  eosTokenIds: values.tokens({ lenient: true }),
  padTokenId: values.token({ lenient: true }),
  bosTokenId: values.token({ lenient: true }),
  startTokenIds: values.tokens(),
  sequenceBias: or([], values.biases),
  exponentialDecayLengthPenalty: any<readonly [number, number]>(
    "[start, factor]",
    (pair) => Array.isArray(pair) && pair.length === 2 && pair.every(Number.isFinite),
  ),
  removeInvalidValues: values.flag,
  renormalizeLogits: values.flag,
};

/** A prompt for each picture, all of one length. */
const prompts: values.ValueType<readonly (readonly number[])[] | undefined> = {
  unset: undefined,
  read: (value, context) => {
    const rows = value instanceof Tensor ? value.toList() : value;
    const sequences = values.sequences.read(rows, context);
    return sequences && new Set(sequences.map((row) => row.length)).size === 1 ? sequences : undefined;
  },
  expected: (vocabulary) => `rows of one length, at least 1, of token ids below ${vocabulary}`,
};

/** What a call says, and no file. */
const callSettings = {
  decoderInputIds: prompts,
  assistantModel: any<null>("nothing: assisted generation is not supported", () => false),
  interpolatePosEncoding: values.flag,
  useCache: or(true, values.flag),
  seed: any<number>(
    "a whole number from 0 to 2^53 − 1",
    (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  ),
  firstPicture: or(0, whole(0)),
  outputScores: values.flag,
  outputConfidences: values.flag,
  outputAttentions: values.flag,
  streamer: any<Streamer>("an object with the functions put and end", ({ put, end }) => {
    return typeof put === "function" && typeof end === "function";
  }),
  signal: any<AbortSignal>("an AbortSignal", (value) => value instanceof AbortSignal),
  stoppingCriteria: values.callables<StoppingCriterion>(),
  logitsProcessors: values.callables<LogitsProcessor>(),
  onTimings: values.callable<(timings: Timings) => void>(),
};

/** What a table's types read, with every default filled in. */
type ReadBy<Types> = { readonly [K in keyof Types]: Types[K] extends values.ValueType<infer T> ? T : never };

/** The settings of one generation. */
export interface GenerationSettings extends ReadBy<typeof modelSettings>, ReadBy<typeof callSettings> {}

/** Options that only sampling heeds, with the values that change nothing. */
export const ofSampling = {
  temperature: 1,
  topH: undefined,
  topK: 50,
  topP: 1,
  minP: 0,
  typicalP: 1,
  epsilonCutoff: 0,
  etaCutoff: 0,
  seed: undefined,
} as const;

/** Options that only beams heed, with the values that change nothing. */
export const ofBeams = { earlyStopping: false, lengthPenalty: 1 } as const;

/** Settings whose option has another name: an option may be one token's id. */
const optionNames: Readonly<Record<string, string>> = {
  forcedBosTokenIds: "forcedBosTokenId",
  forcedEosTokenIds: "forcedEosTokenId",
  eosTokenIds: "eosTokenId",
  startTokenIds: "decoderStartTokenId",
};
const optionOf = (setting: string): string => optionNames[setting] ?? setting;
const fileKeyOf = (option: string): string => option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The keys of generation_config.json that are heeded. */
export const settingKeys: readonly string[] = Object.keys(modelSettings).map((name) => fileKeyOf(optionOf(name)));

const optionsKnown = new Set([...Object.keys(modelSettings), ...Object.keys(callSettings)].map(optionOf));

function checkKnown(options: GenerateOptions): void {
  if (!isRecord(options)) throw new OptionError(`Cannot generate with ${values.show(options)}: expected options`);
  const unknown = Object.keys(options).find((option) => !optionsKnown.has(option));
  if (unknown === undefined) return;
  const list = [...optionsKnown].join(", ");
  throw new OptionError(`Cannot generate with the option "${unknown}": it does not exist; the options are ${list}`);
}

/**
 * Read the settings of a generation.
 *
 * @param model The model's own settings, with generation_config.json's keys; null is as good as nothing there.
 * @param options A person's; null unsets what the model has.
 * @param vocabulary The number V of tokens.
 * @throws {OptionError} If an option does not exist, or a value is none that the setting takes.
 */
export function readSettings(
  model: GenerationConfig,
  options: GenerateOptions,
  vocabulary: number,
): GenerationSettings {
  checkKnown(options);
  const given = options as Readonly<Record<string, unknown>>;
  const read = <T>(setting: string, { unset, read, expected }: values.ValueType<T>, ofModel: boolean): T => {
    const option = optionOf(setting);
    const key = fileKeyOf(option);
    const own = given[option] !== undefined;
    const value = own ? given[option] : ofModel ? model[key] : undefined;
    if (value === undefined || value === null) return unset;
    const typed = read(value, { vocabulary, own });
    if (typed !== undefined) return typed;
    const what = typeof expected === "string" ? expected : expected(vocabulary);
    const name = own ? option : `the model's ${key}`;
    throw new OptionError(`Cannot generate with ${name} = ${values.show(value)}: expected ${what}`);
  };
  // What a model says of methods that are not asked for is not checked, whatever it is.
  const samples = read("doSample", modelSettings.doSample, true);
  const beams = read("numBeams", modelSettings.numBeams, true) > 1;
  const heeded = (setting: string) => (samples || !(setting in ofSampling)) && (beams || !(setting in ofBeams));
  const settings = Object.fromEntries([
    ...Object.entries(modelSettings).map(([name, type]) => [name, read<unknown>(name, type, heeded(name))]),
    ...Object.entries(callSettings).map(([name, type]) => [name, read<unknown>(name, type, false)]),
  ]);
  // Sampling draws from the 50 likeliest unless a person unsets that.
  return options.topK === null ? { ...settings, topK: 0 } : settings;
}
