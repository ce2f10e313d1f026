import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError, defaultConfig, VisionEncoderDecoderConfig } from "../../mod.ts";
import { generationConfigOf } from "../../src/generation/mod.ts";
import { architectureOf, declaredParameters, decoders, encoders } from "../../src/models/mod.ts";

const configs = new URL("../fixtures/configs/", import.meta.url);
const models = new URL("../fixtures/models/", import.meta.url);

async function readJson(file: string, folder: URL = configs) {
  return JSON.parse(await Deno.readTextFile(new URL(file, folder)));
}

function shapesOf(config: VisionEncoderDecoderConfig): Record<string, number[]> {
  return Object.fromEntries(
    [...declaredParameters(architectureOf(config))].map(([name, { shape }]) => [name, [...shape]]),
  );
}

Deno.test("defaultConfig() gives every family's defaults as Transformers", async () => {
  const defaults = { ...(await readJson("defaults.json")).defaults, ...await readJson("family_defaults.json") };
  const known = [...Object.keys(encoders), ...Object.keys(decoders), "vision-encoder-decoder"];
  assertEquals(Object.keys(defaults).sort(), known.sort());
  for (const [modelType, expected] of Object.entries(defaults)) assertEquals(defaultConfig(modelType), expected);
});

Deno.test("defaultConfig() derives what depends on an override", () => {
  const swin = defaultConfig("swin", { embed_dim: 48, depths: [2, 2] });
  assertEquals(swin.hidden_size, 96);
  assertEquals(swin.num_layers, 2);
  assertEquals(swin.stage_names, ["stem", "stage1", "stage2"]);
  assertEquals(swin.out_features, ["stage2"]);
  assertEquals(swin.out_indices, [2]);
  const beit = defaultConfig("beit", { num_hidden_layers: 2 });
  assertEquals(beit.stage_names, ["stem", "stage1", "stage2"]);
  assertEquals(beit.out_indices, [2]);
  assertEquals(defaultConfig("beit", { out_indices: [3, 5, 7, 11] }).out_features, [
    "stage3",
    "stage5",
    "stage7",
    "stage11",
  ]);
  assertEquals(defaultConfig("swin", { out_features: ["stage1", "stage3"] }).out_indices, [1, 3]);
  assertEquals(defaultConfig("donut-swin", { depths: [1, 1, 1] }).hidden_size, 384);
  assertEquals(defaultConfig("vit", { hidden_size: 32 }).pooler_output_size, 32);
  assertEquals(defaultConfig("deit", { hidden_size: 32, pooler_output_size: 8 }).pooler_output_size, 8);
});

Deno.test("defaultConfig() takes other names of fields, and the number of labels, as Transformers", () => {
  const gpt2 = defaultConfig("gpt2", { hidden_size: 32, num_hidden_layers: 2, num_labels: 1 });
  assertEquals([gpt2.n_embd, gpt2.n_layer, gpt2.label2id], [32, 2, { LABEL_0: 0 }]);
  assertEquals(Object.hasOwn(gpt2, "hidden_size") || Object.hasOwn(gpt2, "num_labels"), false);
  const bart = defaultConfig("bart", { num_hidden_layers: 3 });
  assertEquals([bart.encoder_layers, bart.decoder_layers], [3, 12]);
  assertEquals(defaultConfig("trocr", { num_hidden_layers: 3 }).decoder_layers, 3);
});

Deno.test("a section that leaves fields out is completed: its pooler has the width of its states", () => {
  const config = new VisionEncoderDecoderConfig({
    model_type: "vision-encoder-decoder",
    encoder: { model_type: "deit", hidden_size: 24, num_attention_heads: 2, num_hidden_layers: 1 },
    decoder: { model_type: "trocr", hidden_size: 16, num_hidden_layers: 1, vocab_size: 30 },
  });
  const shapes = shapesOf(config);
  assertEquals(shapes["encoder.pooler.dense.weight"], [24, 24]);
  assertEquals(shapes["decoder.model.decoder.embed_tokens.weight"], [30, 16]);
  const { encoder, decoder } = config;
  const joined = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(encoder, decoder);
  assertEquals([joined.encoder.patch_size, joined.decoder.d_model], [16, 16]);
  const { eos_token_id, pad_token_id, decoder_start_token_id } = generationConfigOf(config, { complete: true });
  assertEquals([eos_token_id, pad_token_id, decoder_start_token_id], [2, 1, 2]);
});

Deno.test("defaultConfig() refuses a model type that it does not know", () => {
  const { message } = assertThrows(() => defaultConfig("resnet"), ConfigError);
  assertEquals(message.includes('"resnet"') && message.includes("donut-swin"), true);
});

Deno.test("fromEncoderDecoderConfigs() joins two configurations as Transformers", async () => {
  const { from_encoder_decoder_configs: combined } = await readJson("combined.json");
  for (const [name, expected] of Object.entries(combined)) {
    const [encoder, decoder] = name.split(" ")[0].split("+");
    const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig(encoder), defaultConfig(decoder));
    // The file leaves out what every configuration has by default.
    assertEquals(name.includes("to_json_string") ? config.toFile() : config.toJSON(), expected);
  }
});

Deno.test("models of default size have the parameters that Transformers gives them", async () => {
  const { models } = await readJson("default_shapes.json");
  for (const [name, { parameters }] of Object.entries<{ parameters: Record<string, number[]> }>(models)) {
    const [encoder, decoder] = name.split("+");
    const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig(encoder), defaultConfig(decoder));
    assertEquals(shapesOf(config), parameters);
  }
});

Deno.test("a config.json is written as it was read, unknown keys included", async () => {
  for await (const { name } of Deno.readDir(models)) {
    const values = await readJson(`${name}/config.json`, models);
    if (values.decoder.transformers_version) continue; // written by an older version, which left nothing out
    values.a_key_of_tomorrow = { kept: [1, 2] };
    values.encoder.another = "too";
    assertEquals(new VisionEncoderDecoderConfig(values).toFile(), values);
  }
});

Deno.test("the configuration's faults are named", () => {
  const build = (encoder: object, decoder: object) => () =>
    architectureOf(VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
      defaultConfig("vit", encoder as Record<string, unknown>),
      defaultConfig("bert", decoder as Record<string, unknown>),
    ));
  const cases: readonly [object, object, string][] = [
    [{ num_attention_heads: 5 }, {}, "encoder.num_attention_heads"],
    [{ hidden_act: "xielu" }, {}, "encoder.hidden_act"],
    [{ image_size: "large" }, {}, "encoder.image_size"],
    [{}, { vocab_size: -1 }, "decoder.vocab_size"],
    [{}, { layer_norm_eps: null }, "decoder.layer_norm_eps"],
    [{}, { model_type: "llama" }, "decoder.model_type"],
    [{}, { cross_attention_hidden_size: 5 }, "decoder.cross_attention_hidden_size"],
    [{}, { model_type: "roberta", max_position_embeddings: 5, pad_token_id: 4 }, "decoder.pad_token_id"],
  ];
  for (const [encoder, decoder, key] of cases) {
    const error = assertThrows(build(encoder, decoder), ConfigError);
    assertEquals(error.key, key);
  }
});

Deno.test("a field that does not follow from others is refused with their names", () => {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    { ...defaultConfig("swin"), embed_dim: 192 },
    defaultConfig("bert"),
  );
  const message = "encoder.hidden_size is 768, expected 1536, which follows from embed_dim and depths";
  assertThrows(() => architectureOf(config), ConfigError, message);
});
