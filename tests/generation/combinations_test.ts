import { assert, assertEquals } from "@std/assert";
import { loadBackend, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { resolveGeneration } from "../../src/generation/mod.ts";
import { processorsOf } from "../../src/generation/scores/host_processors.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const { searches, distributions } = JSON.parse(await Deno.readTextFile(new URL("generation.json", fixtures)));

const camel = (kwargs: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );

for (const backendName of testedBackends) {
  Deno.test(`generate() combines options as Transformers does, on ${backendName}`, async () => {
    await using backend = await loadBackend(backendName);
    const tolerance = backendName === "webgpu" ? 2e-4 : 1e-4;
    // What differs between backends is in other tests, and the software adapter takes its time.
    const chosen = searches.filter((_: unknown, i: number) => backendName !== "webgpu" || i % 3 === 0);
    for (const name of new Set<string>(chosen.map(({ model }: { model: string }) => model))) {
      const folder = new URL(`models/${name}/`, fixtures);
      await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      const pixels = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
      const size = pixels.size / pixels.shape[0];
      const picture = (row: number) => Array.from(pixels.data.subarray(row * size, (row + 1) * size) as Float32Array);
      for (const { model: of, rows, kwargs, sequences, sequences_scores } of chosen) {
        if (of !== name) continue;
        const data = Float32Array.from(rows.flatMap(picture));
        const given = new Tensor("float32", [rows.length, ...pixels.shape.slice(1)], data);
        const output = await model.generate(given, camel(kwargs));
        const what = `${name} ${JSON.stringify(kwargs)}`;
        assertEquals(output.sequences, sequences, what);
        // A negative length penalty multiplies the sum of log-probabilities, and its rounding, by the length.
        const factor = Math.max(1, sequences[0].length ** -(kwargs.length_penalty ?? 1));
        sequences_scores?.forEach((score: number, i: number) => {
          const off = Math.abs(output.sequencesScores![i] - score);
          assert(off < tolerance * Math.max(factor, Math.abs(score)), `${what}: ${output.sequencesScores}`);
        });
      }
    }
    assert(chosen.length >= 70);
  });
}

Deno.test("rules and those of sampling, combined, make Transformers' distributions", () => {
  const scoresOf = (row: (number | null)[]) => Float32Array.from(row, (score) => score ?? -Infinity);
  for (const { kwargs, tokens, given, after } of distributions) {
    const model = { decoder_start_token_id: 1, eos_token_id: 2, pad_token_id: 0 };
    const subject = { batch: 1, vocabularySize: given.length, prependsStart: true };
    const generation = resolveGeneration(model, camel(kwargs), subject);
    const scores = scoresOf(given);
    const place = generation;
    for (const process of processorsOf(generation, place)) process(tokens, scores);
    scoresOf(after).forEach((expected, id) => {
      const close = scores[id] === expected ||
        Math.abs(scores[id] - expected) <= 2e-5 * Math.max(1, Math.abs(expected));
      assert(close, `${JSON.stringify(kwargs)}: token ${id} has ${scores[id]}, not ${expected}`);
    });
  }
  assert(distributions.length >= 100);
});
