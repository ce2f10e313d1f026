// What generation settings may ask for: refused with rows and bytes before a buffer is made, or free where it cannot matter.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type GenerateOptions, LimitError, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { generationBytes, resolveGeneration } from "../../src/generation/mod.ts";
import { architectureOf } from "../../src/models/mod.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { processorTime } from "../process_cost.ts";
import { publishedModels } from "./published_models.ts";

const folder = new URL("../fixtures/models/vit_trocr_sinusoidal/", import.meta.url);
const backend = testedBackends[0];
const picture = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(0.5));

Deno.test("a generation that takes too much is refused with its rows and bytes, and leaves nothing", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const refusal = async (options: GenerateOptions, config: Record<string, unknown> = {}): Promise<LimitError> => {
    const own = { ...model.generationConfig };
    Object.assign(model.generationConfig, config);
    const before = processorTime();
    const error = await model.generate(picture, options).catch((error) => error);
    Object.assign(model.generationConfig, own, { num_beams: 1 });
    assertInstanceOf(error, LimitError);
    assert(processorTime() - before < 1000);
    assert(/\d+ rows \((numBeams|the model's num_beams) \d+.* would take \d+ bytes/.test(error.message), error.message);
    return error;
  };
  const { liveHandles } = model.backend.counters;
  assertEquals((await refusal({ numBeams: 5000 })).details.limit, "maxBeams");
  assertEquals((await refusal({}, { num_beams: 1e9 })).details.limit, "maxBeams");
  assertEquals((await refusal({ doSample: true, numReturnSequences: 1e6 })).details.limit, "maxRows");
  assertEquals(model.backend.counters.liveHandles, liveHandles);
  // Settings that are of no effect cost nothing.
  const plain = await model.generate(picture, { maxNewTokens: 8 });
  for (const noRepeatNgramSize of [1e9, 2 ** 53 - 1, 100]) {
    const before = processorTime();
    assertEquals(await model.generate(picture, { maxNewTokens: 8, noRepeatNgramSize }), plain);
    assert(processorTime() - before < 1000);
  }
});

Deno.test("limits of a generation can be raised and lowered where the model is loaded", async () => {
  const limits = { maxBeams: 2, maxGenerationBytes: 1e6 };
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend, limits });
  assertEquals(model.limits.maxBeams, 2);
  const error = await model.generate(picture, { numBeams: 3 }).catch((error) => error);
  assert(error.message.includes("at most 2 beams are taken (limits.maxBeams)"), error.message);
  const bytes = await model.generate(picture, { doSample: true, numReturnSequences: 200 }).catch((error) => error);
  assertEquals(bytes.details?.limit, "maxGenerationBytes");
  await model.generate(picture, { numBeams: 2, maxNewTokens: 2 });
});

Deno.test("long n-grams are forbidden alike on the host and on the device", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const ngrams = (row: readonly number[], size: number) =>
    row.slice(size - 1).map((_, i) => row.slice(i, i + size).join());
  for (const noRepeatNgramSize of [2, 31, 33]) {
    const { sequences: [row] } = await model.generate(picture, {
      maxNewTokens: 38,
      noRepeatNgramSize,
      eosTokenId: null,
    });
    const all = ngrams(row, noRepeatNgramSize);
    assertEquals(new Set(all).size, all.length);
  }
});

Deno.test("no published model's generation is refused, eight pictures at a time", () => {
  for (const [name, { config, generation }] of Object.entries(publishedModels)) {
    const architecture = architectureOf(config);
    const { encoder, decoder } = architecture;
    const resolved = resolveGeneration(generation, {}, {
      ...{ batch: 8, vocabularySize: decoder.vocabularySize, maxPositions: decoder.maxPositions, prependsStart: true },
      bytesOf: (rows, positions) =>
        generationBytes(architecture, { batch: 8, size: encoder.imageSize, rows, positions }),
    });
    assert(resolved.maxLength > 1, name);
  }
});
