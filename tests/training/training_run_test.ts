// What a run of steps promises beside the numbers: accumulation, gradients from elsewhere, saving, resuming, averages.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type BackendName,
  ConfigError,
  FormatError,
  HubError,
  LimnerError,
  OptionError,
  readCheckpoint,
  ShapeError,
  Tensor,
  Trainer,
  type TrainerOptions,
  type TrainingBatch,
  VisionEncoderDecoderModel,
} from "../../mod.ts";

const folder = "tests/fixtures/training/vit_gpt2_adamw";
const given = await readCheckpoint(`${folder}/golden.safetensors`);
const labels = given.get("labels")!.toList() as number[][];

/** Rows of the fixture's batch. */
function batchOf(...rows: number[]): TrainingBatch {
  const { data, shape: [, ...rest] } = given.get("pixel_values")!;
  const size = rest.reduce((product, length) => product * length);
  const pixels = new Float32Array(rows.length * size);
  rows.forEach((row, i) => pixels.set((data as Float32Array).subarray(row * size, (row + 1) * size), i * size));
  return { pixelValues: new Tensor("float32", [rows.length, ...rest], pixels), labels: rows.map((row) => labels[row]) };
}

const whole = batchOf(0, 1, 2, 3);
const load = (backend: BackendName, source: string = folder) =>
  VisionEncoderDecoderModel.fromPretrained(source, { backend });

async function losses(trainer: Trainer, steps: number, batch = whole): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < steps; i++) found.push((await trainer.step(batch)).loss);
  return found;
}

/** The trained parameters' values. */
async function valuesOf(trainer: Trainer): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const name of trainer.trained) found.set(name, (await trainer.model.parameter(name)).data as Float32Array);
  return found;
}

/** The largest difference over the largest value. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0) / largest;
}

/** Parameters whose true gradient is 0: Adam makes steps of rounding. */
const unstable = /attn\.bias$|key\.bias$/;

for (const backend of ["reference", "ffi", "webgpu"] as const) {
  const tolerance = backend === "webgpu" ? 2e-3 : 1e-4;

  Deno.test(`accumulated steps are one step of the whole batch, by the number of labels, on ${backend}`, async () => {
    await using one = await load(backend);
    await using other = await load(backend);
    await using direct = await Trainer.create(one, { learningRate: 1e-3, maxGradNorm: 1 });
    await using parts = await Trainer.create(other, { learningRate: 1e-3, maxGradNorm: 1, gradientAccumulation: 2 });
    const counted = (rows: number[]) => rows.map((row) => labels[row]).flat().filter((id) => id !== -100).length;
    assert(counted([0]) !== counted([1, 2, 3]));
    for (let i = 0; i < 2; i++) {
      const expected = await direct.step(whole);
      const first = await parts.step(batchOf(0));
      assertEquals([first.gradNorm, first.steps], [undefined, i]);
      const second = await parts.step(batchOf(1, 2, 3));
      assertEquals(second.steps, i + 1);
      const mean = (first.loss * counted([0]) + second.loss * counted([1, 2, 3])) / counted([0, 1, 2, 3]);
      assert(Math.abs(mean / expected.loss - 1) < tolerance);
      assert(Math.abs(second.gradNorm! / expected.gradNorm! - 1) < tolerance);
    }
  });

  Deno.test(`gradients that are averaged elsewhere make the same update, on ${backend}`, async () => {
    await using one = await load(backend);
    await using other = await load(backend);
    await using direct = await Trainer.create(one, { learningRate: 1e-3 });
    await using apart = await Trainer.create(other, { learningRate: 1e-3 });
    const expected = await direct.step(whole);
    const [a, b] = [await apart.gradients(batchOf(0, 1)), await apart.gradients(batchOf(2, 3))];
    const mean = new Map([...a].map(([name, { shape, data }]) => {
      const second = b.get(name)!.data as Float32Array;
      const sum = (data as Float32Array).map((x, i) => (x * a.labels + second[i] * b.labels) / (a.labels + b.labels));
      return [name, new Tensor("float32", shape, sum)];
    }));
    const { gradNorm } = await apart.apply(mean);
    assert(Math.abs(gradNorm / expected.gradNorm! - 1) < tolerance);
    const [left, right] = [await valuesOf(direct), await valuesOf(apart)];
    for (const [name, value] of left) {
      if (!unstable.test(name)) assert(difference(right.get(name)!, value) < 10 * tolerance, name);
    }
    mean.delete(apart.trained[0]);
    await assertRejects(() => apart.apply(mean), ShapeError, "missing");
    await assertRejects(() => apart.apply(new Map([["w", a.get(apart.trained[0])!]])), ShapeError, "not trained");
  });

  Deno.test(`an interrupted run goes on exactly, on ${backend}`, async () => {
    const options: TrainerOptions = {
      learningRate: 1e-3,
      schedule: "cosine",
      warmupSteps: 1,
      totalSteps: 8,
      maxGradNorm: 1,
      ema: 0.9,
      decay: "transformers",
      frozen: (name) => name.includes("embeddings"),
    };
    const saved = await Deno.makeTempDir();
    try {
      await using model = await load(backend);
      await using trainer = await Trainer.create(model, options);
      await losses(trainer, 2);
      const fitProgress = { epoch: 1, batch: 2, batchSize: 4, evaluationsSinceBest: 0 };
      trainer.fitProgress = fitProgress;
      await trainer.save(saved);
      await using averaged = await load(backend, saved); // the model that is saved has the averages
      const averages = await trainer.withAverages(() => valuesOf(trainer));
      for (const [name, value] of averages) assertEquals((await averaged.parameter(name)).data, value);
      const expected = await losses(trainer, 3);
      await using resumed = await Trainer.resume(saved, { backend });
      assertEquals([resumed.steps, resumed.fitProgress, resumed.trained], [2, fitProgress, trainer.trained]);
      assertEquals(await losses(resumed, 3), expected);
      const [left, right] = [await valuesOf(trainer), await valuesOf(resumed)];
      for (const [name, value] of left) assertEquals(right.get(name), value);
    } finally {
      await Deno.remove(saved, { recursive: true });
    }
  });
}

Deno.test("calls that were added up are saved too", async () => {
  const saved = await Deno.makeTempDir();
  try {
    await using model = await load("reference");
    await using trainer = await Trainer.create(model, { learningRate: 1e-3, gradientAccumulation: 2 });
    await trainer.step(batchOf(0, 1));
    await trainer.save(saved);
    const expected = await trainer.step(batchOf(2, 3));
    await using resumed = await Trainer.resume(saved, { backend: "reference" });
    assertEquals(await resumed.step(batchOf(2, 3)), expected);
    await trainer.step(batchOf(0));
    await assertRejects(() => trainer.gradients(whole), LimnerError, "1 of 2");
  } finally {
    await Deno.remove(saved, { recursive: true });
  }
});

Deno.test("frozen parameters stay as they are, and the average follows", async () => {
  await using model = await load("reference");
  const before = await model.parameter("encoder.layernorm.weight");
  await using trainer = await Trainer.create(model, {
    learningRate: 1e-2,
    ema: 0.5,
    frozen: (name) => name.startsWith("encoder."),
  });
  assert(trainer.trained.every((name) => name.startsWith("decoder.")));
  const name = "decoder.transformer.ln_f.bias";
  const [start] = (await model.parameter(name)).data as Float32Array;
  await trainer.step(whole);
  const [after] = (await model.parameter(name)).data as Float32Array;
  assertEquals((await model.parameter("encoder.layernorm.weight")).data, before.data);
  const [average] = await trainer.withAverages(async () => (await model.parameter(name)).data as Float32Array);
  assert(after !== start && Math.abs(average - (start + after) / 2) < 1e-6);
  assertEquals(((await model.parameter(name)).data as Float32Array)[0], after);
});

Deno.test("smoothed labels give torch's loss", async () => {
  await using model = await load("reference");
  const { logits } = await model.forward(whole);
  const rows = labels.flat();
  const V = logits.shape[2];
  let [sum, count] = [0, 0];
  rows.forEach((label, row) => {
    if (label === -100) return;
    const own = Float64Array.from((logits.data as Float32Array).subarray(row * V, (row + 1) * V));
    const largest = Math.max(...own);
    const total = largest + Math.log(own.reduce((all, x) => all + Math.exp(x - largest), 0));
    sum += 0.9 * (total - own[label]) + 0.1 * own.reduce((all, x) => all + total - x, 0) / V;
    count++;
  });
  await using trainer = await Trainer.create(model, { learningRate: 1e-3, labelSmoothing: 0.1 });
  const plain = await trainer.loss(whole);
  const { loss } = await trainer.step(whole);
  assert(Math.abs(loss - sum / count) < 1e-4 * loss, `${loss} is not ${sum / count}`);
  assert(plain.loss !== loss && plain.labels === count);
});

Deno.test("what cannot be trained is refused by name", async () => {
  await using model = await load("reference");
  const create = (options: object) => Trainer.create(model, options as TrainerOptions);
  await assertRejects(() => create({}), OptionError, "learningRate");
  await assertRejects(() => create({ learningRate: -1 }), OptionError, "learningRate");
  await assertRejects(() => create({ learningRate: NaN }), OptionError, '"learningRate": it is NaN, and');
  await assertRejects(
    () => create({ learningRate: 1, betas: [0, Infinity] }),
    OptionError,
    '"betas": it is [0, Infinity]',
  );
  await assertRejects(() => create({ learningRate: 1, lr: 2 }), OptionError, '"lr"');
  await assertRejects(() => create({ learningRate: 1, schedule: "linear" }), OptionError, "totalSteps");
  await assertRejects(() => create({ learningRate: 1, schedule: "step" }), OptionError, "cosine");
  await assertRejects(() => create({ learningRate: 1, frozen: () => true }), OptionError, "frozen");
  await using trainer = await create({ learningRate: 1e-3 });
  const { pixelValues } = whole;
  await assertRejects(() => trainer.step({ pixelValues } as TrainingBatch), ShapeError, "no labels");
  await assertRejects(() => trainer.step({ pixelValues, labels: [[1]] }), ShapeError, "rows");
  await assertRejects(() => trainer.step({ ...batchOf(0), labels: [[-100, -100]] }), ShapeError, "-100");
  await assertRejects(() => trainer.step({ ...whole, mask: [] } as TrainingBatch), OptionError, "mask");
  const padded = { ...batchOf(0), labels: [[5, 6, 399, 399]] };
  for (const call of ["step", "gradients", "loss"] as const) {
    await assertRejects(
      () => trainer[call](padded),
      OptionError,
      "row 0 ends in a pad token (config.pad_token_id is 399)",
    );
  }
  await using counting = await create({ learningRate: 1e-3, countPadding: true });
  assertEquals((await counting.loss(padded)).labels, 4);
  await assertRejects(() => Trainer.resume("tests/fixtures"), HubError, "trainer.safetensors");
  model.config.decoder_start_token_id = null;
  await assertRejects(() => trainer.step(whole), ConfigError, "decoder_start_token_id");
  model.config.decoder_start_token_id = 399;
  await model.resizeTokenEmbeddings(410);
  await assertRejects(() => trainer.step(whole), LimnerError, "resized");
});

Deno.test("a damaged run is refused, and a run of another model", async () => {
  const saved = await Deno.makeTempDir();
  try {
    {
      await using model = await load("reference");
      await using trainer = await Trainer.create(model, { learningRate: 1e-3 });
      await trainer.save(saved);
    }
    const path = `${saved}/trainer.safetensors`;
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, bytes.length - 4));
    await assertRejects(() => Trainer.resume(saved, { backend: "reference" }), FormatError, "trainer.safetensors");
    await Deno.copyFile(`${folder}/model.safetensors`, path);
    await assertRejects(() => Trainer.resume(saved, { backend: "reference" }), FormatError, "does not describe a run");
  } finally {
    await Deno.remove(saved, { recursive: true });
  }
});
