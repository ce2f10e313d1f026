// Run by long_run_test.ts in a process of its own, with --expose-gc: steps of a training on a backend, as many as the arguments say.
// Prints what the process held after a third of them and after all, as JSON.
import { type BackendName, readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";
import { memory } from "../process_cost.ts";

const [backend, steps] = [Deno.args[0] as BackendName, Number(Deno.args[1])];
const source = "tests/fixtures/training/vit_gpt2_adamw";
const given = await readCheckpoint(`${source}/golden.safetensors`);
const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend });
await using trainer = await Trainer.create(model, { learningRate: 1e-4 });

const held: { own: number; counted: number[] }[] = [];
for (let step = 1; step <= steps; step++) {
  await trainer.step(batch);
  if (step !== Math.floor(steps / 3) && step !== steps) continue;
  (globalThis as unknown as { gc(): void }).gc();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { liveHandles, deviceBytes } = model.backend.counters;
  held.push({ own: memory().own, counted: [liveHandles, deviceBytes] });
}
console.log(JSON.stringify(held));
