// Gradient checkpointing: the same numbers from less memory.
import { assert } from "@std/assert";
import { type BackendName, readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";
import { partsOf } from "../../src/model/vision_encoder_decoder_model.ts";
import { buildStep, planTraining } from "../../src/training/training_programs.ts";
import { resolveTrainerOptions } from "../../src/training/trainer_options.ts";
import { peakOfLiveBytes } from "../gradient/live_bytes.ts";

const folder = "tests/fixtures/training";

async function load(name: string, backend: BackendName) {
  const { initial } = JSON.parse(await Deno.readTextFile(`${folder}/${name}/golden.json`));
  return await VisionEncoderDecoderModel.fromPretrained(`${folder}/${name}/${initial}`, { backend });
}

/** The losses and norms of three steps with dropout. */
async function train(name: string, backend: BackendName, checkpoint: boolean) {
  const given = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
  const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
  await using model = await load(name, backend);
  await using trainer = await Trainer.create(model, { learningRate: 1e-3, checkpoint });
  const results: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { loss, gradNorm } = await trainer.step(batch);
    results.push(loss, gradNorm!);
  }
  return results;
}

const cases = { ffi: ["vit_gpt2_adamw"], reference: ["vit_gpt2_adamw", "swin_bert_adamw"], webgpu: ["vit_gpt2_adamw"] };
for (const backend of ["ffi", "reference", "webgpu"] as const) {
  for (const name of cases[backend]) {
    Deno.test(`${name}: steps with checkpointing, and dropout, are those without, on ${backend}`, async () => {
      const kept = await train(name, backend, false);
      const again = await train(name, backend, true);
      again.forEach((value, i) => {
        const error = Math.abs(value / kept[i] - 1);
        assert(error <= 2e-6, `result ${i} is ${value}, not ${kept[i]}`);
      });
    });
  }
}

Deno.test("with checkpointing a step's values need less than half of the memory", async () => {
  for (const name of ["vit_gpt2_adamw", "deit_trocr_adamw", "swin_bert_adamw"]) {
    await using model = await load(name, "reference");
    const { architecture } = partsOf(model);
    const peak = (checkpoint: boolean) => {
      const plan = planTraining(architecture, resolveTrainerOptions({ learningRate: 1, checkpoint }));
      return peakOfLiveBytes(buildStep(plan, architecture.encoder.imageSize), { batch: 64, T: 16 });
    };
    const [kept, again] = [peak(false), peak(true)];
    assert(again < 0.5 * kept, `${name}: ${again} of ${kept} bytes`);
  }
});
