// The scores of a beam search are of all rows at every step, as Transformers has them: also of pictures that have ended.
import { assert, assertEquals } from "@std/assert";
import { loadBackend, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

/** A search of two pictures, of which one ends some steps before the other. */
interface Golden {
  readonly model: string;
  readonly kwargs: Record<string, unknown>;
  readonly sequences: number[][];
  /** Of each step each row's best token, and its score. */
  readonly best: number[][];
  readonly scores: number[][];
}

const goldens: Golden[] = JSON.parse(await Deno.readTextFile(new URL("beam_scores.json", fixtures)));

const camel = (kwargs: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );

for (const backendName of testedBackends) {
  Deno.test(`generate() gives the scores of beams of pictures that have ended, on ${backendName}`, async () => {
    await using backend = await loadBackend(backendName);
    for (const { model: name, kwargs, sequences, best, scores } of goldens) {
      const folder = new URL(`models/${name}/`, fixtures);
      await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      const pixels = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
      const output = await model.generate(pixels, { ...camel(kwargs), outputScores: true });
      const what = `${name} ${JSON.stringify(kwargs)}`;
      assertEquals(output.sequences, sequences, what);
      const steps = output.scores!.map((step) => step.toList() as number[][]);
      assertEquals(steps.map((rows) => rows.map((row) => row.indexOf(Math.max(...row)))), best, what);
      const off = steps.flatMap((rows, t) => rows.map((row, i) => Math.abs(Math.max(...row) - scores[t][i])));
      assert(Math.max(...off) < 2e-4, `${what}: off by ${Math.max(...off)}`);
    }
  });
}
