// Every family learns one picture by heart, on every backend.
import { assert, assertEquals } from "@std/assert";
import { type BackendName, readCheckpoint, Tensor, Trainer, VisionEncoderDecoderModel } from "../../mod.ts";
import { decoders, encoders } from "../../src/models/mod.ts";
import { isLong } from "../effort.ts";

const folder = "tests/fixtures/models";

/** Small random models that together have every family, and the learning rate that suits the scale of their weights. */
const models: Readonly<Record<string, number>> = {
  beit_roberta_shared: 3e-3,
  clip_gpt2_remainder: 1e-2,
  data2vec_vision_gpt2_absolute: 1e-2,
  deit_trocr_small: 1e-2,
  dinov2_gpt2_gated: 1e-2,
  donut_swin_mbart: 1e-2,
  siglip_gpt2_headless: 1e-2,
  swin_bert: 1e-2,
  swinv2_gpt2_pretrained: 1e-2,
  vit_bart: 1e-2,
  vit_bert_generation: 1e-2,
  vit_camembert: 1e-2,
  vit_distilbert: 1e-2,
  vit_electra: 1e-2,
  vit_roberta_prelayernorm: 1e-2,
  vit_xlm_roberta: 1e-2,
};

const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));

Deno.test("the models that learn by heart have every family", async () => {
  const configs = await Promise.all(Object.keys(models).map((name) => read(`${folder}/${name}/config.json`)));
  const kinds = (section: string) => new Set(configs.map((config) => config[section].model_type));
  assertEquals([...Object.keys(encoders)].filter((name) => !kinds("encoder").has(name)), []);
  assertEquals([...Object.keys(decoders)].filter((name) => !kinds("decoder").has(name)), []);
});

async function learns(name: string, learningRate: number, backend: BackendName): Promise<void> {
  const golden = await readCheckpoint(`${folder}/${name}/golden.safetensors`);
  const { data, shape: [rows, ...rest] } = golden.get("pixel_values")!;
  const pixelValues = new Tensor("float32", [1, ...rest], data.slice(0, data.length / rows));
  await using model = await VisionEncoderDecoderModel.fromPretrained(`${folder}/${name}`, { backend });
  model.config.decoder_start_token_id ??= 1;
  model.config.pad_token_id ??= 0;
  const options = { learningRate, warmupSteps: 10, maxGradNorm: 1, weightDecay: 0, dropout: false };
  await using trainer = await Trainer.create(model, options);
  let loss = Infinity;
  for (let step = 0; step < 100 && !(loss < 0.01); step++) {
    ({ loss } = await trainer.step({ pixelValues, labels: [[5, 9, 7, 3]] }));
  }
  assert(loss < 0.01, `the loss is ${loss} after 100 steps`);
}

for (const [i, [name, learningRate]] of Object.entries(models).entries()) {
  for (const backend of ["ffi", "reference", "webgpu"] as const) {
    // The short form has every other model on ffi, and where they are slower one encoder of each kind.
    const isShort = backend === "ffi" ? i % 2 === 0 : ["swin_bert", "deit_trocr_small"].includes(name);
    if (!isLong && !isShort) continue;
    Deno.test(`${name} learns a picture by heart, on ${backend}`, () => learns(name, learningRate, backend));
  }
}
