import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadBackend, Tensor, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../mod.ts";
import { generationConfigOf, resolveGeneration } from "../../src/generation/mod.ts";
import { logSoftmax } from "../../src/generation/scores/normalization.ts";
import { processorsOf } from "../../src/generation/scores/host_processors.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { effort } from "../effort.ts";

const models = new URL("../fixtures/models/", import.meta.url);
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

/** Of how many models one is generated with in the short form; WebAssembly's lowering is that of ffi. */
const shares = { ffi: 1, reference: 2, webgpu: 2, wasm: 11 };

for (const backendName of [...testedBackends, "wasm" as const]) {
  const some = names.filter((_, i) => i % effort(shares[backendName], 1) === 0);
  Deno.test(`generate() gives Transformers' ids, scores and distributions on ${backendName}`, async () => {
    await using backend = await loadBackend(backendName);
    const tolerance = backendName === "webgpu" ? 2e-4 : 1e-4;
    let cases = 0;
    for (const name of some) {
      const golden = await read(`../fixtures/models/${name}/golden.json`);
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
          const given = (scores![0].data as Float32Array).slice(0, expected[i].length);
          logSoftmax(given);
          // The probabilities: their logarithms differ by more than this between PyTorch's float32 and its float64.
          const off = Math.max(...given.map((score, id) => Math.abs(Math.exp(score) - Math.exp(expected[i][id]))));
          assert(off < tolerance, `${name} ${kind} ${i}: ${off}`);
          const kept = (row: ArrayLike<number>) => Array.from(row, Number.isFinite);
          assertEquals(kept(given), kept(expected[i]), `${name} ${kind} ${i}`);
        }
      }
    }
    assert(cases > 300 * some.length / names.length / 2, `${cases}`);
  });
}

Deno.test("the rules make Transformers' distributions of its own logits", async () => {
  let cases = 0;
  for (const name of names) {
    const { sampling } = await read(`../fixtures/models/${name}/golden.json`);
    if (!sampling) continue;
    const tensors = await readTensors(new URL(`${name}/golden.safetensors`, models));
    const logits = tensors.get("sampling.raw_logits")!.toList() as number[][];
    const model = await read(`../fixtures/models/${name}/generation_config.json`);
    for (const [kind, { kwargs }] of Object.entries<{ kwargs: object }>(sampling.variants)) {
      const expected = tensors.get(`sampling.${kind}.logprobs`)!.toList() as number[][];
      for (const [i, { decoder_input_ids: prompt }] of sampling.prefixes.entries()) {
        const options = { ...camel({ ...kwargs }), doSample: true, maxNewTokens: 2, decoderInputIds: [prompt] };
        const subject = { batch: 1, vocabularySize: logits[i].length, prependsStart: false };
        const generation = resolveGeneration(model, options, subject);
        const scores = Float32Array.from(logits[i]);
        if (generation.numBeams > 1) logSoftmax(scores);
        const place = { promptLength: prompt.length, maxLength: generation.maxLength };
        for (const process of processorsOf(generation, place)) process(prompt, scores);
        logSoftmax(scores);
        scores.forEach((score, id) => {
          const close = score === expected[i][id] || Math.abs(score - expected[i][id]) < 5e-6;
          assert(close, `${name} ${kind} ${i}: token ${id} has ${score}, not ${expected[i][id]}`);
        });
        cases++;
      }
    }
  }
  assert(cases > 200, `${cases}`);
});

Deno.test("generation settings are inherited as Transformers does", async () => {
  const { scenarios } = await read("../fixtures/configs/generation_config_inheritance.json");
  for (const { scenario, config, generation_config_json, loaded_generation_config } of scenarios) {
    if (generation_config_json) continue;
    const { _from_model_config: _, ...expected } = loaded_generation_config;
    assertEquals(generationConfigOf(config), expected, scenario);
  }
  // Of a repository Transformers takes what config.json says; of a new model, what its family says as well.
  const config = new VisionEncoderDecoderConfig({
    model_type: "vision-encoder-decoder",
    encoder: { model_type: "vit" },
    decoder: { model_type: "trocr" },
  });
  assertEquals(generationConfigOf(config).eos_token_id, undefined);
  assertEquals(generationConfigOf(config, { complete: true }).eos_token_id, 2);
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
