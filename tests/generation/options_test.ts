import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type GenerateOptions, OptionError, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { type GenerationConfig, resolveGeneration } from "../../src/generation/mod.ts";

const subject = { batch: 2, vocabularySize: 100, maxPositions: 32, prependsStart: true };
const ids: GenerationConfig = { decoder_start_token_id: 1, eos_token_id: 2, pad_token_id: 0 };
const settled = (options: GenerateOptions, model: GenerationConfig = ids) => resolveGeneration(model, options, subject);
/** Options that TypeScript would refuse. */
const hostile = (options: Record<string, unknown>) => options as GenerateOptions;

/** Options with a part of the error that names what is wrong. */
const refused: readonly (readonly [Record<string, unknown>, string])[] = [
  // What does not exist.
  [{ numbeams: 2 }, '"numbeams": it does not exist'],
  [{ num_beams: 2 }, '"num_beams": it does not exist'],
  [{ assistantModel: {} }, "assistantModel"],
  // What contradicts, or has no effect.
  [{ topP: 0.5 }, "topP is 0.5, which does nothing without sampling"],
  [{ doSample: false, temperature: 0.5 }, "temperature is 0.5, which does nothing without sampling"],
  [{ seed: 1 }, "seed is 1, which does nothing without sampling"],
  [{ lengthPenalty: 2 }, "lengthPenalty is 2, which does nothing without beams"],
  [{ earlyStopping: true }, "earlyStopping is true, which does nothing without beams"],
  [{ numReturnSequences: 2 }, "numReturnSequences is 2, but greedy search gives one text"],
  [{ numBeams: 2, numReturnSequences: 3 }, "numReturnSequences is 3, but there are 2 beams"],
  [{ numBeams: 2, streamer: { put() {}, end() {} } }, "numBeams is 2, but a streamer"],
  [
    { doSample: true, numReturnSequences: 2, streamer: { put() {}, end() {} } },
    "numReturnSequences is 2, but a streamer",
  ],
  [{ forcedBosTokenId: 5, suppressTokens: [5] }, "forcedBosTokenId is 5, which suppressTokens forbids"],
  [{ forcedEosTokenId: [5, 6], suppressTokens: [6, 5] }, "forcedEosTokenId is 5,6, which suppressTokens forbids"],
  [{ exponentialDecayLengthPenalty: [1, 2], eosTokenId: null }, "exponentialDecayLengthPenalty"],
  [{ minNewTokens: 9, maxNewTokens: 4 }, "minNewTokens is 9, so that a text has at least 10 tokens, but at most 5"],
  [{ minLength: 9, maxLength: 4 }, "minLength is 9, so that a text has at least 9 tokens, but at most 4"],
  [{ decoderInputIds: [[1, 3], [1, 4]], maxLength: 2 }, "maxLength = 2: the prompt has 2 tokens already"],
  [{ maxNewTokens: 33 }, "the decoder has 32 positions"],
  [{ decoderStartTokenId: [1, 2, 3] }, "decoderStartTokenId = 1,2,3"],
  [{ decoderInputIds: [[1]] }, "there are 2 pictures, but decoderInputIds has 1 rows"],
  [{ suppressTokens: Array.from({ length: 100 }, (_, id) => id) }, "suppressTokens forbids every token"],
  // Values that are none.
  [{ maxNewTokens: 0 }, "maxNewTokens = 0: expected a whole number, at least 1"],
  [{ maxNewTokens: NaN }, "maxNewTokens = NaN"],
  [{ maxNewTokens: 5n }, "maxNewTokens = 5"],
  [{ maxLength: -3 }, "maxLength = -3"],
  [{ maxLength: 1e300 }, "maxLength = 1e+300"],
  [{ minLength: 1.5 }, "minLength = 1.5"],
  [{ numBeams: "4" }, 'numBeams = "4": expected a whole number, at least 1'],
  [{ numBeams: 0 }, "numBeams = 0"],
  [{ doSample: 1 }, "doSample = 1: expected true or false"],
  [{ doSample: true, temperature: 0 }, "temperature = 0: expected a number above 0"],
  [{ doSample: true, temperature: 1e-300 }, "temperature = 1e-300"],
  [{ doSample: true, temperature: Infinity }, "temperature = Infinity"],
  [{ doSample: true, topK: -1 }, "topK = -1"],
  [{ doSample: true, topP: 1.01 }, "topP = 1.01: expected a number from 0 to 1"],
  [{ doSample: true, minP: -0.1 }, "minP = -0.1"],
  [{ doSample: true, typicalP: 0 }, "typicalP = 0"],
  [{ doSample: true, epsilonCutoff: 1 }, "epsilonCutoff = 1"],
  [{ doSample: true, seed: -1 }, "seed = -1"],
  [{ repetitionPenalty: 0 }, "repetitionPenalty = 0"],
  [{ noRepeatNgramSize: -2 }, "noRepeatNgramSize = -2"],
  [{ numBeams: 2, lengthPenalty: NaN }, "lengthPenalty = NaN"],
  [{ numBeams: 2, earlyStopping: "always" }, 'earlyStopping = "always": expected true, false or "never"'],
  [{ eosTokenId: 100 }, "eosTokenId = 100: expected token ids below 100"],
  [{ eosTokenId: [2, -1] }, "eosTokenId = [2,-1]"],
  [{ padTokenId: 100 }, "padTokenId = 100"],
  [{ decoderStartTokenId: 1.5 }, "decoderStartTokenId = 1.5"],
  [{ forcedBosTokenId: "5" }, "forcedBosTokenId"],
  [{ suppressTokens: [200] }, "suppressTokens"],
  [{ badWordsIds: [1, 2] }, "badWordsIds"],
  [{ badWordsIds: [[]] }, "badWordsIds"],
  [{ sequenceBias: [[[1], "2"]] }, "sequenceBias"],
  [{ exponentialDecayLengthPenalty: 3 }, "exponentialDecayLengthPenalty = 3"],
  [{ decoderInputIds: [[1], [1, 2]] }, "decoderInputIds"],
  [{ decoderInputIds: [] }, "decoderInputIds"],
  [{ decoderInputIds: [[NaN], [1]] }, "decoderInputIds"],
  [{ streamer: {} }, "streamer"],
  [{ signal: true }, "signal = true: expected an AbortSignal"],
  [{ logitsProcessors: [5] }, "logitsProcessors"],
  [{ stoppingCriteria: () => true }, "stoppingCriteria = a function: expected a list of functions"],
  [{ outputScores: "yes" }, "outputScores"],
  [{ useCache: 1 }, "useCache"],
];

Deno.test("generate() refuses by name what does not exist, contradicts, does nothing or is no value", () => {
  for (const [options, part] of refused) assertThrows(() => settled(hostile(options)), OptionError, part);
  for (const options of [null, "x", []]) assertThrows(() => settled(options as never), OptionError, "expected options");
});

Deno.test("generate() throws what is wrong with its options before anything runs", async () => {
  const folder = new URL("../fixtures/models/vit_bert/", import.meta.url);
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
  const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
  const runs = model.backend.counters.runs;
  await assertRejects(() => model.generate(white, { numBeams: 2, numReturnSequences: 3 }), OptionError, "2 beams");
  assertEquals(model.backend.counters.runs, runs);
});

Deno.test("a draw where every token is forbidden is an error", async () => {
  const folder = new URL("../fixtures/models/vit_bert/", import.meta.url);
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
  const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
  const forbidAll = (_: readonly number[], scores: Float32Array) => void scores.fill(-Infinity);
  const draws = () => model.generate(white, { doSample: true, logitsProcessors: [forbidAll] });
  await assertRejects(draws, OptionError, "every one is forbidden");
  const beams = () => model.generate(white, { doSample: true, numBeams: 2, logitsProcessors: [forbidAll] });
  await assertRejects(beams, OptionError, "every one is forbidden");
});

Deno.test("null unsets what the model's files set, undefined leaves it", () => {
  const model = { ...ids, num_beams: 4, max_length: 9, no_repeat_ngram_size: 3, do_sample: true, top_k: 7 };
  const kept = settled({ numBeams: undefined, maxLength: undefined }, model);
  assertEquals([kept.numBeams, kept.maxLength, kept.noRepeatNgramSize, kept.topK], [4, 9, 3, 7]);
  const unset = settled({ numBeams: null, maxLength: null, noRepeatNgramSize: null, topK: null }, model);
  assertEquals([unset.numBeams, unset.maxLength, unset.noRepeatNgramSize, unset.topK], [1, 21, 0, 0]);
  // In a file null is as good as nothing: Transformers takes its default.
  assertEquals(settled({}, { ...model, top_k: null }).topK, 50);
});

Deno.test("settings in a model's files that change no result are let be", () => {
  const model = {
    ...ids,
    _from_model_config: true,
    transformers_version: "4.30.0",
    cache_implementation: "static",
    num_beam_groups: 1,
    diversity_penalty: 0.5,
    penalty_alpha: null,
    num_assistant_tokens: 5,
    encoder_no_repeat_ngram_size: 3,
    temperature: 0, // do_sample is false
    top_p: 7,
    early_stopping: "maybe", // num_beams is 1
    min_length: 99, // nothing a person said
    unknown: { a: 1 },
  };
  assertEquals(settled({}, model).temperature, 1);
  // Ids of no token, as the defaults of a family are beside a small vocabulary.
  assertEquals(settled({}, { bos_token_id: 50256, eos_token_id: 50256, decoder_start_token_id: 3 }).padTokenId, 0);
});

Deno.test("settings in a model's files that Limner cannot honour are refused by name", () => {
  const cases: readonly (readonly [GenerationConfig, string])[] = [
    [{ guidance_scale: 2 }, "the model's guidance_scale is 2"],
    [{ penalty_alpha: 0.6, top_k: 4 }, "the model's penalty_alpha is 0.6"],
    [{ num_beams: 4, num_beam_groups: 2 }, "the model's num_beam_groups is 2"],
    [{ force_words_ids: [[3]] }, "the model's force_words_ids"],
    [{ stop_strings: ["a"] }, "the model's stop_strings"],
    [{ max_time: 3 }, "the model's max_time"],
    [{ do_sample: true, temperature: 0 }, "the model's temperature = 0"],
    [{ decoder_start_token_id: 100 }, "the model's decoder_start_token_id = 100"],
    [{ decoder_start_token_id: null, bos_token_id: 100 }, "the start token 100"],
    [{ pad_token_id: 100 }, "the token 100"],
  ];
  for (const [model, part] of cases) assertThrows(() => settled({}, { ...ids, ...model }), OptionError, part);
});

Deno.test("lengths from a model's files stop at the decoder's last position", () => {
  assertEquals(settled({}, { ...ids, max_length: 512 }).maxLength, 33);
  assertEquals(settled({}, { ...ids, max_new_tokens: 4, max_length: 512 }).maxLength, 5);
});

Deno.test("prompts begin with the start token, but where the model is Donut or a row has it", () => {
  const prompts = (given: number[][], options = {}) => settled({ decoderInputIds: given, ...options }).prompts;
  assertEquals(prompts([[5], [6]]), [[1, 5], [1, 6]]);
  assertEquals(prompts([[5], [1]]), [[5], [1]]);
  assertEquals(prompts([[5], [6]], { decoderStartTokenId: [8, 9] }), [[8, 5], [9, 6]]);
  assertEquals(resolveGeneration(ids, { decoderInputIds: [[5], [6]] }, { ...subject, prependsStart: false }).prompts, [[
    5,
  ], [6]]);
  const tensor = new Tensor("int64", [2, 1], BigInt64Array.of(5n, 6n));
  assertEquals(settled({ decoderInputIds: tensor }).prompts, [[1, 5], [1, 6]]);
});

Deno.test("badWordsIds of end tokens only is passed over, as Transformers does", async () => {
  const field = new URL("../fixtures/field/", import.meta.url);
  const folder = new URL("foreign_names/plain/", field);
  const { shape, pixels } = JSON.parse(await Deno.readTextFile(new URL("pixels.json", field)));
  const pixelValues = new Tensor("float32", shape, Float32Array.from(pixels));
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
  const end = { eosTokenId: 22, maxNewTokens: 6 };
  for (const badWordsIds of [[[22]], [[22], [22]]]) {
    const { sequences: [first] } = await model.generate(pixelValues, { ...end, badWordsIds });
    assertEquals(first.slice(0, 4), [1, 11, 11, 22]); // Python's, with and without
  }
  const { sequences: [other] } = await model.generate(pixelValues, { ...end, badWordsIds: [[22], [11]] });
  assertEquals(other.includes(11), false);
});
