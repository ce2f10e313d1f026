// Training against PyTorch: ten steps of torch.optim.AdamW on three families, on every backend.
import { assert } from "@std/assert";
import { readCheckpoint, type Tensor, Trainer, type TrainerOptions, VisionEncoderDecoderModel } from "../../mod.ts";

const folder = "tests/fixtures/training";
const backends = { ffi: 1e-4, reference: 1e-4, webgpu: 2e-3 } as const;

interface Golden {
  readonly initial: string;
  readonly optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; steps: number };
  readonly schedule: { type: "linear"; num_warmup_steps: number; num_training_steps: number } | null;
  readonly clip_grad_norm: number | null;
  readonly loss: number[];
  readonly grad_norm: number[];
  readonly lr: number[];
  readonly loss_after: number;
  readonly unstable_parameters: string[];
}

export function optionsOf({ optimizer, schedule, clip_grad_norm }: Golden): TrainerOptions {
  return {
    learningRate: optimizer.lr,
    betas: optimizer.betas,
    epsilon: optimizer.eps,
    weightDecay: optimizer.weight_decay,
    ...(schedule && {
      schedule: schedule.type,
      warmupSteps: schedule.num_warmup_steps,
      totalSteps: schedule.num_training_steps,
    }),
    ...(clip_grad_norm !== null && { maxGradNorm: clip_grad_norm }),
  };
}

function assertRelative(actual: number, expected: number, tolerance: number, what: string): void {
  const error = Math.abs(actual - expected) / Math.abs(expected);
  assert(error <= tolerance, `${what}: ${actual} is not ${expected} (relative error ${error})`);
}

/** The largest difference of two tensors over the largest of the expected one. */
function relativeError(actual: Tensor, expected: Tensor): number {
  const [a, b] = [actual.data, expected.data].map((data) => Float64Array.from(data as Float32Array));
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0) / largest;
}

for (const [backend, tolerance] of Object.entries(backends)) {
  for (const name of ["vit_gpt2_adamw", "vit_gpt2_adamw_schedule_clip", "deit_trocr_adamw", "swin_bert_adamw"]) {
    Deno.test(`${name}: ten steps as PyTorch's, on ${backend}`, async () => {
      const golden: Golden = JSON.parse(await Deno.readTextFile(`${folder}/${name}/golden.json`));
      const given = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
      const final = await readCheckpoint(`${folder}/${name}/final.safetensors`);
      const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
      const source = `${folder}/${name}/${golden.initial}`;
      await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend: backend as "ffi" });
      await using trainer = await Trainer.create(model, optionsOf(golden));
      for (const [i, expected] of golden.loss.entries()) {
        const { loss, gradNorm, learningRate } = await trainer.step(batch);
        assertRelative(loss, expected, tolerance, `the loss of step ${i}`);
        assertRelative(gradNorm!, golden.grad_norm[i], tolerance, `the gradient norm of step ${i}`);
        assert(Math.abs(learningRate - golden.lr[i]) < 1e-12);
      }
      assertRelative((await model.forward(batch)).loss!, golden.loss_after, tolerance, "the loss after");
      for (const [parameter, expected] of final) {
        if (golden.unstable_parameters.includes(parameter)) continue;
        const error = relativeError(await model.parameter(parameter), expected);
        assert(error <= tolerance, `${parameter} differs by ${error} of its largest`);
      }
    });
  }
}
