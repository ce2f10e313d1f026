// Gradients of whole models against PyTorch's, for every family whose golden numbers have them, on every backend.
import { assert, assertEquals } from "@std/assert";
import { isLong } from "../effort.ts";
import { readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";

const folder = "tests/fixtures/models";
const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
/** Relative to a gradient's largest number. */
const backends = { reference: 1e-4, ffi: 1e-4, webgpu: 2e-4 } as const;
let compared = 0;

for (const name of names) {
  const golden = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
  const expected = [...golden].filter(([key]) => key.startsWith("grad."));
  if (expected.length === 0) continue;
  compared++;
  const figures = JSON.parse(await Deno.readTextFile(`${folder}/${name}/golden.json`));
  /** How far PyTorch's own float32 is from its float64. */
  const rounding: number = figures.max_grad_abs_diff_float32_vs_float64 ?? 1e-6;
  for (const [backend, tolerance] of Object.entries(backends)) {
    // A GPU that is computed by the CPU takes its time: the short form has every third model.
    if (backend === "webgpu" && !isLong && compared % 3 !== 0) continue;
    Deno.test(`${name}: gradients as PyTorch's, on ${backend}`, async () => {
      const source = `${folder}/${name}`;
      await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend: backend as "ffi" });
      await using trainer = await Trainer.create(model, { learningRate: 0 });
      const batch = { pixelValues: golden.get("pixel_values")!, labels: golden.get("labels")! };
      const gradients = await trainer.gradients(batch);
      for (const [key, { data }] of expected) {
        const parameter = key.slice("grad.".length);
        const found = gradients.get(parameter)?.data as Float32Array | undefined;
        assert(found, `${parameter} has no gradient`);
        const error = found.reduce((most, x, i) => Math.max(most, Math.abs(x - (data as Float32Array)[i])), 0);
        const largest = largestOf(data as Float32Array);
        assert(error <= Math.max(tolerance * largest, rounding), `${parameter}: off by ${error} of ${largest}`);
      }
    });
  }
}

function largestOf(data: Float32Array): number {
  return data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

Deno.test("several families have golden gradients", () => assertEquals(compared >= 5, true, `${compared}`));
