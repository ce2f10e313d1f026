// A run that saves every few steps, for a test that kills it: `deno run killed_training.ts FOLDER STEPS`. It resumes what is in
// the folder, prints a line for each step, and at the end the parameters' digest.
import { readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";

const [folder, steps] = [Deno.args[0], Number(Deno.args[1])];
const source = "tests/fixtures/training/vit_gpt2_adamw";
const given = await readCheckpoint(`${source}/golden.safetensors`);
const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
const begun = await Deno.stat(`${folder}/trainer.safetensors`).then(() => true, () => false);
const trainer = begun
  ? await Trainer.resume(folder, { backend: "reference" })
  : await Trainer.create(await VisionEncoderDecoderModel.fromPretrained(source, { backend: "reference" }), {
    learningRate: 1e-3,
  });
while (trainer.steps < steps) {
  const { loss } = await trainer.step(batch);
  console.log(trainer.steps, loss);
  await trainer.save(folder);
}
const names = trainer.trained.toSorted();
const bytes: Uint8Array[] = [];
for (const name of names) {
  const { data } = await trainer.model.parameter(name);
  bytes.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
const digest = await crypto.subtle.digest("SHA-256", await new Blob(bytes as BlobPart[]).arrayBuffer());
console.log("digest", new Uint8Array(digest).toHex());
await trainer[Symbol.asyncDispose]();
