// Training a LoRA adapter, and what is dropped at random: alike on every backend.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BackendName, LimnerError, readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";

const folder = "tests/fixtures/training/vit_gpt2_adamw";
const given = await readCheckpoint(`${folder}/golden.safetensors`);
const batch = { pixelValues: given.get("pixel_values")!, labels: given.get("labels")! };
const load = (backend: BackendName) => VisionEncoderDecoderModel.fromPretrained(folder, { backend });
const backends = { reference: 1e-4, ffi: 1e-4, webgpu: 2e-3 } as const;

/** The losses of 20 steps with everything that may be dropped dropped. */
async function droppedLosses(backend: BackendName, seed: number): Promise<number[]> {
  await using model = await load(backend);
  const { encoder, decoder } = model.config;
  Object.assign(encoder, { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 });
  Object.assign(decoder, { resid_pdrop: 0.1, embd_pdrop: 0.1, attn_pdrop: 0.1 });
  const dropping = await Deno.makeTempDir();
  try {
    await model.savePretrained(dropping);
    await using again = await VisionEncoderDecoderModel.fromPretrained(dropping, { backend });
    await using trainer = await Trainer.create(again, { learningRate: 1e-3, seed });
    const losses: number[] = [];
    for (let i = 0; i < 20; i++) losses.push((await trainer.step(batch)).loss);
    return losses;
  } finally {
    await Deno.remove(dropping, { recursive: true });
  }
}

const expected = await droppedLosses("reference", 7);

for (const [backend, tolerance] of Object.entries(backends) as [keyof typeof backends, number][]) {
  Deno.test(`dropout gives the same 20 losses from one seed, on ${backend}`, async () => {
    const losses = await droppedLosses(backend, 7);
    losses.forEach((loss, i) => assert(Math.abs(loss / expected[i] - 1) <= tolerance, `step ${i}: ${loss}`));
    assert(losses[19] < losses[0]);
  });

  Deno.test(`an adapter is trained, saved, resumed and merged, on ${backend}`, async () => {
    const saved = await Deno.makeTempDir();
    try {
      await using model = await load(backend);
      const before = await model.parameter("decoder.transformer.h.0.attn.c_attn.weight");
      const lora = { rank: 4, alpha: 8, dropout: 0.1, targets: ["c_attn", "q_proj"] };
      await using trainer = await Trainer.create(model, { learningRate: 1e-2, lora, seed: 3 });
      assert(trainer.trained.every((name) => name.includes("lora_")));
      const losses: number[] = [];
      for (let i = 0; i < 3; i++) losses.push((await trainer.step(batch)).loss);
      await trainer.save(saved);
      for (let i = 0; i < 3; i++) losses.push((await trainer.step(batch)).loss);
      assert(losses[5] < losses[0]);
      assertEquals((await model.parameter("decoder.transformer.h.0.attn.c_attn.weight")).data, before.data);
      {
        await using resumed = await Trainer.resume(saved, { backend });
        const again: number[] = [];
        for (let i = 0; i < 3; i++) again.push((await resumed.step(batch)).loss);
        assertEquals(again, losses.slice(3));
      }
      const { loss } = await trainer.loss(batch);
      await trainer.mergeAdapters();
      const merged = (await model.forward(batch)).loss!;
      assert(Math.abs(merged / loss - 1) < 10 * tolerance, `${merged} is not ${loss}`);
      await assertRejects(() => trainer.step(batch), LimnerError, "adapter");
    } finally {
      await Deno.remove(saved, { recursive: true });
    }
  });
}

Deno.test("another seed drops otherwise, and without dropout nothing is dropped", async () => {
  const other = await droppedLosses("reference", 8);
  assert(other[0] !== expected[0]);
  await using model = await load("reference");
  await using trainer = await Trainer.create(model, { learningRate: 1e-3, dropout: false });
  const { loss } = await trainer.loss(batch);
  assertEquals((await trainer.step(batch)).loss, loss);
});
