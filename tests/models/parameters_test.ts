import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type BackendName,
  defaultConfig,
  FormatError,
  OptionError,
  readCheckpoint,
  ShapeError,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { modelNames } from "../conformance/families.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const models = new URL("../fixtures/models/", import.meta.url);
const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));

function open(name: string, backend: BackendName = "reference"): Promise<VisionEncoderDecoderModel> {
  return VisionEncoderDecoderModel.fromPretrained(new URL(`${name}/`, models), { backend });
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const small = {
  vit: { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, image_size: 32 },
  gpt2: { n_embd: 24, n_layer: 2, n_head: 2, n_positions: 20, vocab_size: 300, initializer_range: 0.1 },
  bert: {
    hidden_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 32,
    vocab_size: 300,
    max_position_embeddings: 20,
  },
};

function smallConfig(decoder: "gpt2" | "bert", overrides = {}): VisionEncoderDecoderConfig {
  return VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { ...small.vit, patch_size: 8 }),
    defaultConfig(decoder, { ...small[decoder], ...overrides }),
  );
}

/** The standard deviation and the mean of a parameter's values. */
async function spread(model: VisionEncoderDecoderModel, name: string): Promise<{ deviation: number; mean: number }> {
  const { data, size } = await model.parameter(name);
  const values = Array.from(data as Float32Array);
  const mean = values.reduce((a, b) => a + b) / size;
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / size;
  return { deviation: Math.sqrt(square), mean };
}

Deno.test("fromConfig() fills parameters by Hugging Face's rules, and repeats with its seed", async () => {
  await using model = await VisionEncoderDecoderModel.fromConfig(smallConfig("gpt2"), {
    backend: "reference",
    seed: 3,
  });
  const around = async (name: string, expected: number) => {
    const { deviation, mean } = await spread(model, name);
    assert(Math.abs(deviation / expected - 1) < 0.1, `${name} deviates by ${deviation}, expected ${expected}`);
    assert(Math.abs(mean) < expected / 5, `${name} has the mean ${mean}`);
  };
  await around("encoder.encoder.layer.0.intermediate.dense.weight", 0.02);
  await around("encoder.embeddings.position_embeddings", 0.02);
  await around("decoder.transformer.wte.weight", 0.1);
  await around("decoder.transformer.h.0.mlp.c_fc.weight", 0.1);
  await around("decoder.transformer.h.1.mlp.c_proj.weight", 0.1 / Math.sqrt(4));
  const all = async (name: string) => new Set((await model.parameter(name)).data as Float32Array);
  assertEquals(await all("decoder.transformer.h.0.ln_1.weight"), new Set([1]));
  assertEquals(await all("decoder.transformer.h.0.attn.c_attn.bias"), new Set([0]));
  assertEquals(model.newlyInitialized, [...model.namedParameters().keys()].sort());
  await using again = await VisionEncoderDecoderModel.fromConfig(smallConfig("gpt2"), {
    backend: "reference",
    seed: 3,
  });
  await using other = await VisionEncoderDecoderModel.fromConfig(smallConfig("gpt2"), {
    backend: "reference",
    seed: 4,
  });
  const inputs = { pixelValues: white, decoderInputIds: [[1, 2, 3]] };
  assertEquals((await again.forward(inputs)).logits, (await model.forward(inputs)).logits);
  assert(String((await other.forward(inputs)).logits.data) !== String((await model.forward(inputs)).logits.data));
});

Deno.test("fromConfig() makes the pad token's embedding zero, and BEiT's tables and scales constant", async () => {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("beit", {
      ...small.vit,
      patch_size: 8,
      use_relative_position_bias: true,
      use_absolute_position_embeddings: true,
    }),
    defaultConfig("roberta", small.bert),
  );
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  const [zeroth, pad] = (await model.parameter("decoder.roberta.embeddings.word_embeddings.weight"))
    .toList() as number[][];
  assert(zeroth.every((x) => x !== 0) && pad.every((x) => x === 0));
  const values = async (name: string) => new Set((await model.parameter(`encoder.${name}`)).data as Float32Array);
  assertEquals(await values("encoder.layer.1.lambda_2"), new Set([Math.fround(0.1)]));
  const table = "encoder.layer.0.attention.attention.relative_position_bias.relative_position_bias_table";
  assertEquals(await values(table), new Set([0]));
  assertEquals(await values("embeddings.position_embeddings"), new Set([0]));
});

for (const backend of testedBackends) {
  Deno.test(`setParameter() is seen by the next call on ${backend}`, async () => {
    await using model = await open("vit_bert", backend);
    const inputs = { pixelValues: white, decoderInputIds: [[2, 5]] };
    const { logits: before } = await model.forward(inputs);
    const { sequences } = await model.generate(white, { maxNewTokens: 4 });
    const bias = "decoder.cls.predictions.bias";
    const old = await model.parameter(bias);
    const raised = new Float32Array(old.data as Float32Array);
    raised[77] += 1000;
    await model.setParameter(bias, new Tensor("float32", old.shape, raised));
    const { logits: after } = await model.forward(inputs);
    assert(Math.abs(Number(after.data[77]) - Number(before.data[77]) - 1000) < 1e-2);
    assertEquals((await model.generate(white, { maxNewTokens: 4 })).sequences[0], [2, 77, 77, 77, 77]);
    assertEquals((await model.parameter(bias)).data[77], raised[77]);
    await model.setParameter(bias, old);
    assertEquals((await model.forward(inputs)).logits, before);
    assertEquals((await model.generate(white, { maxNewTokens: 4 })).sequences, sequences);
  });
}

Deno.test("setParameter() and parameter() name what they refuse", async () => {
  await using model = await open("vit_bert");
  const name = "encoder.pooler.dense.bias"; // no program reads it
  const value = new Tensor("float16", [32], new Float16Array(32).fill(0.5));
  await model.setParameter(name, value);
  assertEquals(await model.parameter(name), value);
  for (
    const tensor of [new Tensor("float32", [31], new Float32Array(31)), new Tensor("int32", [32], new Int32Array(32))]
  ) {
    const { message } = await assertRejects(() => model.setParameter(name, tensor), ShapeError);
    assert(message.includes(name), message);
  }
  const { message } = await assertRejects(() => model.parameter("encoder.nothing"), ShapeError);
  assert(message.includes("encoder.nothing"), message);
});

Deno.test("savePretrained() and fromPretrained() keep every model's parameters, configuration and logits", async () => {
  for (const name of modelNames) {
    await withFolder(async (folder) => {
      await using model = await open(name);
      await model.savePretrained(folder);
      await using again = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
      assertEquals(again.newlyInitialized, []);
      assertEquals(again.namedParameters(), model.namedParameters());
      assertEquals(again.generationConfig, model.generationConfig);
      assertEquals(again.config.toFile(), {
        ...model.config.toFile(),
        dtype: [...model.namedParameters().values()][0].dataType,
      });
      const [, , height, width] = [1, 3, ...[model.config.encoder.image_size, model.config.encoder.image_size].flat()]
        .slice(0, 4) as number[];
      const pixelValues = new Tensor("float32", [1, 3, height, width], new Float32Array(3 * height * width).fill(0.5));
      const inputs = { pixelValues, decoderInputIds: [[2, 5, 7]] };
      assertEquals((await again.forward(inputs)).logits, (await model.forward(inputs)).logits, name);
    });
  }
});

Deno.test("savePretrained() cuts into shards, writes what was set, and saves over its own folder", async () => {
  await withFolder(async (folder) => {
    {
      await using model = await open("vit_gpt2_upcast_relu");
      const name = "decoder.transformer.ln_f.bias";
      const { shape, size } = await model.parameter(name);
      await model.setParameter(name, new Tensor("float32", shape, new Float32Array(size).fill(0.3)));
      await model.savePretrained(folder, { maxShardSize: "20KB" });
      const files = [...Deno.readDirSync(folder)].map(({ name }) => name);
      assert(files.filter((file) => file.endsWith(".safetensors")).length > 3, files.join());
      assertEquals(files.some((file) => file.includes("tmp")), false);
      const stored = await readCheckpoint(folder);
      assertEquals([...stored.keys()].sort(), [...model.namedParameters().keys()].sort());
      assertEquals(stored.get(name)!.data[0], Math.fround(0.3));
      await assertRejects(() => model.savePretrained(folder, { maxShardSize: "huge" }), OptionError);
    }
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
    const before = await model.forward({ pixelValues: white, decoderInputIds: [[1]] });
    await model.savePretrained(folder);
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".safetensors")).length, 1);
    // Its parameters are still there, whatever became of the old files.
    assert((await model.parameter("encoder.pooler.dense.weight")).size > 0);
    await model.savePretrained(folder);
    await using again = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
    assertEquals((await again.forward({ pixelValues: white, decoderInputIds: [[1]] })).logits, before.logits);
  });
});

Deno.test("resizeTokenEmbeddings() cuts tokens off and adds the mean of those there are", async () => {
  for (const decoder of ["gpt2", "bert"] as const) {
    const config = smallConfig(decoder, { tie_word_embeddings: decoder === "gpt2" });
    await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
    const inputs = { pixelValues: white, decoderInputIds: [[1, 2, 3]] };
    const { logits: before } = await model.forward(inputs);
    await model.resizeTokenEmbeddings(307);
    assertEquals(model.config.decoder.vocab_size, 307);
    const { logits: after } = await model.forward(inputs);
    assertEquals(after.shape, [1, 3, 307]);
    for (let id = 0; id < 300; id++) assert(Math.abs(Number(after.data[id]) - Number(before.data[id])) < 1e-6);
    const mean = Array.from(before.data.slice(0, 300), Number).reduce((a, b) => a + b) / 300;
    assert(Math.abs(Number(after.data[306]) - mean) < 1e-5);
    await model.forward({ pixelValues: white, decoderInputIds: [[306]] });
    await model.resizeTokenEmbeddings(250);
    const { logits: cut } = await model.forward(inputs);
    assertEquals(cut.shape, [1, 3, 250]);
    assert(Math.abs(Number(cut.data[249]) - Number(before.data[249])) < 1e-6);
    const { message } = await assertRejects(() => model.resizeTokenEmbeddings(0));
    assert(message.includes("vocab_size") && model.config.decoder.vocab_size === 250, message);
  }
});

Deno.test("fromPretrained() names both shapes where configuration and weights disagree, and a missing weight", async () => {
  await withFolder(async (folder) => {
    await using model = await open("vit_roberta");
    await model.savePretrained(folder);
    const file = `${folder}/config.json`;
    const config = JSON.parse(await Deno.readTextFile(file));
    const attempt = () => VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
    await Deno.writeTextFile(
      file,
      JSON.stringify({ ...config, decoder: { ...config.decoder, intermediate_size: 63 } }),
    );
    const { message } = await assertRejects(attempt, ShapeError);
    assert(message.includes("[72, 36]") && message.includes("[63, 36]"), message);
    await Deno.writeTextFile(file, JSON.stringify({ ...config, encoder: { ...config.encoder, num_hidden_layers: 3 } }));
    const missing = await assertRejects(attempt, FormatError);
    assert(missing.message.includes("encoder.encoder.layer.2."), missing.message);
  });
});
