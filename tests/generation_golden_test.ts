import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadBackend, OptionError, Tensor, VisionEncoderDecoderModel } from "../mod.ts";
import { generationConfigOf } from "../src/generation/mod.ts";
import { readTensors } from "./conformance/golden.ts";
import { testedBackends } from "./tested_backends.ts";

const models = new URL("fixtures/models/", import.meta.url);
const names = [...Deno.readDirSync(models)].map(({ name }) => name).sort();
const read = async (path: string) => JSON.parse(await Deno.readTextFile(new URL(path, import.meta.url)));

const camel = (kwargs: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );

function pick(pixels: Tensor, rows: readonly number[]): Tensor {
  const [batch, ...rest] = pixels.shape;
  const size = pixels.size / batch;
  const data = rows.flatMap((row) => [...pixels.data.subarray(row * size, (row + 1) * size) as Float32Array]);
  return new Tensor("float32", [rows.length, ...rest], Float32Array.from(data));
}

for (const backendName of testedBackends) {
  Deno.test(`generate() gives Transformers' ids, scores and distributions on ${backendName}`, async () => {
    await using backend = await loadBackend(backendName);
    const tolerance = backendName === "webgpu" ? 2e-4 : 1e-4;
    let cases = 0;
    for (const name of names) {
      const golden = await read(`fixtures/models/${name}/golden.json`);
      const tensors = await readTensors(new URL(`${name}/golden.safetensors`, models));
      await using model = await VisionEncoderDecoderModel.fromPretrained(new URL(`${name}/`, models), { backend });
      const pixels = tensors.get("pixel_values")!;
      for (const { name: kind, rows, kwargs, sequences, sequences_scores } of golden.generate ?? []) {
        if (!sequences) continue;
        const output = await model.generate(pick(pixels, rows), camel(kwargs));
        assertEquals(output.sequences, sequences, `${name} ${kind}`);
        // A negative length penalty multiplies the sum of log-probabilities, and its rounding, by the length.
        const factor = Math.max(1, sequences[0].length ** -(kwargs.length_penalty ?? 1));
        sequences_scores?.forEach((score: number, i: number) => {
          const difference = Math.abs(output.sequencesScores![i] - score);
          assert(
            difference < factor * tolerance,
            `${name} ${kind}: ${output.sequencesScores}, not ${sequences_scores}`,
          );
        });
        cases++;
      }
      for (const [kind, { kwargs }] of Object.entries<{ kwargs: object }>(golden.sampling?.variants ?? {})) {
        const expected = tensors.get(`sampling.${kind}.logprobs`)!.toList() as number[][];
        for (const [i, { row, decoder_input_ids }] of golden.sampling.prefixes.entries()) {
          const { scores } = await model.generate(pick(pixels, [row]), {
            ...camel({ ...kwargs }),
            doSample: true,
            seed: 1,
            maxNewTokens: 2, // the last one may be forced
            decoderInputIds: [decoder_input_ids],
            outputScores: true,
          });
          const [given] = scores![0].toList() as number[][];
          const total = Math.log(given.reduce((sum, score) => sum + Math.exp(score), 0));
          given.forEach((score, id) => {
            const close = Math.abs(score - total - expected[i][id]) < 2 * tolerance;
            assert(score - total === expected[i][id] || close, `${name} ${kind} ${i}: token ${id}`);
          });
        }
      }
    }
    assert(cases > 300, `${cases}`);
  });
}

Deno.test("generation settings are inherited as Transformers does", async () => {
  const { scenarios } = await read("fixtures/configs/generation_config_inheritance.json");
  for (const { scenario, config, generation_config_json, loaded_generation_config } of scenarios) {
    if (generation_config_json) continue;
    const { _from_model_config: _, ...expected } = loaded_generation_config;
    assertEquals(generationConfigOf(config), expected, scenario);
  }
});

Deno.test("generate() refuses options that contradict one another or have no effect", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_bert/", models), {
    backend: "reference",
  });
  const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
  const cases = [
    [{ topP: 0.5 }, "doSample"],
    [{ numReturnSequences: 2 }, "numReturnSequences"],
    [{ numBeams: 2, numReturnSequences: 3 }, "2 beams"],
    [{ lengthPenalty: 2 }, "numBeams"],
    [{ doSample: true, topP: 2 }, "top_p"],
    [{ forcedBosTokenId: 5, suppressTokens: [5] }, "forcedBosTokenId"],
    [{ minNewTokens: 9, maxNewTokens: 4 }, "at most"],
    [{ assistantModel: {} as never }, "assistantModel"],
  ] as const;
  for (const [options, part] of cases) await assertRejects(() => model.generate(white, options), OptionError, part);
});

Deno.test("sampling repeats with a seed, and gives several texts a picture", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_bert/", models), {
    backend: "reference",
  });
  const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
  const options = { doSample: true, numReturnSequences: 3, maxNewTokens: 6 };
  const first = await model.generate(white, { ...options, seed: 7 });
  assertEquals(first.sequences.length, 3);
  assertEquals(await model.generate(white, { ...options, seed: 7 }), first);
  const other = await model.generate(white, { ...options, seed: 8 });
  assert(JSON.stringify(other.sequences) !== JSON.stringify(first.sequences));
});

for (const numBeams of [1, 3]) {
  Deno.test(`an abort stops generate() with ${numBeams} beams within a step, and the model stays usable`, async () => {
    await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_bert/", models), {
      backend: "reference",
    });
    const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
    const options = { numBeams, maxNewTokens: 12, eosTokenId: null };
    const before = await model.generate(white, options);
    const stop = new AbortController();
    let longest = 0;
    const stops = (tokens: readonly number[]) => {
      longest = Math.max(longest, tokens.length);
      if (tokens.length === 4) stop.abort(new Error("enough"));
      return false;
    };
    const aborted = () => model.generate(white, { ...options, stoppingCriteria: [stops], signal: stop.signal });
    await assertRejects(aborted, Error, "enough");
    assert(longest <= 5, `${longest}`);
    assertEquals(await model.generate(white, options), before);
  });
}

Deno.test("outputAttentions gives where each token of the returned rows looked", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_bert/", models), {
    backend: "reference",
  });
  const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));
  const { sequences, crossAttentions } = await model.generate(white, {
    numBeams: 2,
    numReturnSequences: 2,
    maxNewTokens: 5,
    outputAttentions: true,
  });
  const [rows, , T, S] = crossAttentions![0].shape;
  assertEquals([rows, T], [2, sequences[0].length - 1]);
  const data = crossAttentions![0].data as Float32Array;
  assert(Math.abs(data.slice(0, S).reduce((sum, p) => sum + p, 0) - 1) < 1e-5);
});
