// Less memory for what waits for the backward pass: computed again (gradient checkpointing), or held as float16.
import { assert, assertRejects } from "@std/assert";
import {
  type BackendName,
  OptionError,
  readCheckpoint,
  Trainer,
  type TrainerOptions,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
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
async function train(name: string, backend: BackendName, options: Partial<TrainerOptions>) {
  const given = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
  const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
  await using model = await load(name, backend);
  await using trainer = await Trainer.create(model, { learningRate: 1e-3, ...options });
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
      const kept = await train(name, backend, {});
      const again = await train(name, backend, { checkpoint: true });
      again.forEach((value, i) => {
        const error = Math.abs(value / kept[i] - 1);
        assert(error <= 2e-6, `result ${i} is ${value}, not ${kept[i]}`);
      });
    });
  }
}

Deno.test("steps with activations in float16 are nearly those without, on webgpu", async () => {
  const kept = await train("vit_gpt2_adamw", "webgpu", { dropout: false });
  const halved = await train("vit_gpt2_adamw", "webgpu", { dropout: false, activationStorage: "float16" });
  halved.forEach((value, i) => {
    const error = Math.abs(value / kept[i] - 1);
    assert(error <= 2e-3, `result ${i} is ${value}, not ${kept[i]}`);
  });
  assert(halved.some((value, i) => value !== kept[i]), "nothing was rounded");
  await assertRejects(
    () => train("vit_gpt2_adamw", "reference", { activationStorage: "float16" }),
    OptionError,
    "only webgpu holds values so",
  );
});

Deno.test("with less kept a step's values need less memory", async () => {
  for (const name of ["vit_gpt2_adamw", "deit_trocr_adamw", "swin_bert_adamw"]) {
    await using model = await load(name, "reference");
    const { architecture } = partsOf(model);
    const peak = (options: Partial<TrainerOptions>) => {
      const plan = planTraining(architecture, resolveTrainerOptions({ learningRate: 1, ...options }));
      return peakOfLiveBytes(buildStep(plan, architecture.encoder.imageSize), { batch: 64, T: 16 });
    };
    const [kept, again, halved] = [peak({}), peak({ checkpoint: true }), peak({ activationStorage: "float16" })];
    assert(again < 0.5 * kept, `${name}: ${again} of ${kept} bytes`);
    assert(halved < 0.8 * kept, `${name}: ${halved} of ${kept} bytes`);
  }
});
