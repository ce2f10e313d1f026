// How sure the model is of what it writes, beside the exponential of Transformers' compute_transition_scores.
import { assert, assertEquals } from "@std/assert";
import { loadBackend, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

/** A generation of Transformers; of `sampled` ones the tokens are those that Limner draws with the seed. */
interface Golden {
  readonly model: string;
  readonly rows: number[];
  readonly kwargs: Record<string, unknown>;
  readonly seed?: number;
  readonly sequences: number[][];
  readonly confidences: number[][];
}

const goldens: Record<string, Golden[]> = JSON.parse(
  await Deno.readTextFile(new URL("confidences.json", fixtures)),
);

const camel = (kwargs: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );

async function open(name: string, backend: Awaited<ReturnType<typeof loadBackend>>) {
  const folder = new URL(`models/${name}/`, fixtures);
  const model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const pixels = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
  const size = pixels.size / pixels.shape[0];
  const pictures = (rows: readonly number[]) => {
    const data = rows.flatMap((row) => [...pixels.data.subarray(row * size, (row + 1) * size) as Float32Array]);
    return new Tensor("float32", [rows.length, ...pixels.shape.slice(1)], Float32Array.from(data));
  };
  return { model, pictures };
}

for (const backendName of testedBackends) {
  Deno.test(`generate() is as sure of its tokens as Transformers, on ${backendName}`, async () => {
    await using backend = await loadBackend(backendName);
    const all = Object.values(goldens).flat();
    let texts = 0;
    for (const name of new Set(all.map(({ model }) => model))) {
      const { model, pictures } = await open(name, backend);
      await using _ = model;
      for (const { rows, kwargs, seed, sequences, confidences } of all.filter(({ model }) => model === name)) {
        const options = { ...camel(kwargs), seed, outputConfidences: true };
        const output = await model.generate(pictures(rows), options);
        const what = `${name} ${JSON.stringify(options)}`;
        assertEquals(output.sequences, sequences, what);
        assertEquals(output.confidences!.map(({ length }) => length), confidences.map(({ length }) => length), what);
        const off = output.confidences!.flatMap((row, i) => row.map((p, t) => Math.abs(p - confidences[i][t])));
        assert(Math.max(...off) < 1e-4, `${what}: ${Math.max(...off)}`);
        texts += sequences.length;
      }
    }
    assert(texts >= 100, `${texts}`);
  });
}
