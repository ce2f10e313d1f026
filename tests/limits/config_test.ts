// What a configuration may ask for: refused by its key before a program is built; no published model is.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  defaultConfig,
  LimitError,
  LimnerError,
  type PretrainedConfig,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { defaultLimits } from "../../src/limits/mod.ts";
import { architectureOf, declaredParameters } from "../../src/models/mod.ts";
import { decoders, encoders } from "../../src/models/registry.ts";
import { sizeOf } from "../../src/tensor/mod.ts";
import { processorTime } from "../process_cost.ts";
import { publishedModels } from "./published_models.ts";
import { type Case, repositoryOf } from "./absurd_cases.ts";

/** Load a model with one number changed. @returns What it was refused with. */
async function refusal(change: Omit<Case, "file">, limits?: { maxLayers?: number }): Promise<LimnerError> {
  const repository = await repositoryOf(change.model, { ...change, file: "config.json" });
  const before = processorTime();
  const error = await VisionEncoderDecoderModel.fromPretrained(repository, { backend: "reference", limits })
    .then(() => new Error("it was loaded"), (error) => error);
  assertInstanceOf(error, LimnerError);
  const taken = processorTime() - before;
  assert(taken < 1000, `${taken} ms of the processor`);
  return error;
}

await refusal({ model: "donut", path: ["decoder", "decoder_layers"], value: -1 }); // what is loaded once is loaded now

Deno.test("a configuration that asks for many layers is refused by the key and its value", async () => {
  const key = "decoder.decoder_layers";
  for (const value of [1e4, 1e5, 1e9]) {
    const error = await refusal({ model: "donut", path: key.split("."), value });
    assertInstanceOf(error, LimitError);
    assertEquals([error.details.key, error.details.amount], [key, value]);
    assert(error.message.includes(`${key} is ${value}`) && error.message.includes("limits.maxLayers"), error.message);
  }
  const more = await refusal({ model: "donut", path: key.split("."), value: 500 });
  assert(/decoder.decoder_layers is 500, but the weights have \d+ tensors/.test(more.message), more.message);
  const stages = await refusal({ model: "donut", path: ["encoder", "depths", "1"], value: 1e5 });
  assert(stages.message.includes("encoder.depths is [2,100000"), stages.message);
  const low = await refusal({ model: "donut", path: key.split("."), value: 3 }, { maxLayers: 2 });
  assert(low.message.includes("at most 2 layers are taken (limits.maxLayers)"), low.message);
});

Deno.test("a size that the weights do not have is named with its value", async () => {
  const cases: readonly [model: string, key: string, value: unknown][] = [
    ["vit_trocr", "decoder.vocab_size", 1e9],
    ["vit_trocr", "decoder.d_model", 2 ** 30],
    ["vit_trocr", "decoder.max_position_embeddings", 1e9],
    ["vit_trocr", "decoder.pad_token_id", 1e9],
    ["vit_trocr", "encoder.intermediate_size", 65],
    ["vit_trocr", "encoder.image_size", 1e5],
    ["vit_trocr", "encoder.patch_size", 1e5],
    ["vit_trocr", "encoder.image_size", 64],
    ["donut", "encoder.window_size", 1e5],
    ["donut", "encoder.mlp_ratio", 1e308],
    ["donut", "decoder.max_position_embeddings", 1e5],
    ["embedded", "encoder.num_hidden_layers", 1e308],
  ];
  for (const [model, key, value] of cases) {
    const { message } = await refusal({ model, path: key.split("."), value });
    assert(message.includes(key.split(".")[1]), message);
    assert(message.includes(String(value)), message);
  }
});

Deno.test("a new model asks for its memory before it is made", async () => {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { hidden_size: 2 ** 20, num_attention_heads: 16 }),
    defaultConfig("gpt2"),
  );
  const error = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" }).catch((error) => error);
  assertInstanceOf(error, LimitError);
  assert(error.message.includes("encoder.hidden_size is 1048576"), error.message);
  assertEquals(error.details.limit, "maxParameters");
  const labels = { hidden_size: 32, num_labels: 1e9 };
  const many = await Promise.try(() => defaultConfig("vit", labels)).catch((error) => error);
  assertInstanceOf(many, LimnerError);
  assert(many.message.includes("num_labels is 1000000000"), many.message);
});

Deno.test("Transformers' defaults of every family are far from every limit", () => {
  const pairs = [
    ...Object.keys(encoders).map((encoder) => [encoder, "gpt2"]),
    ...Object.keys(decoders).map((decoder) => ["vit", decoder]),
  ];
  assert(pairs.length > 20);
  for (const [encoder, decoder] of pairs) {
    const sections = [encoder, decoder].map((type) => defaultConfig(type)) as [PretrainedConfig, PretrainedConfig];
    const architecture = architectureOf(VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(...sections));
    const sizes = [...declaredParameters(architecture).values()].map(({ shape }) => sizeOf(shape));
    assert(sizes.reduce((sum, size) => sum + size, 0) < defaultLimits.maxParameters / 10, `${encoder}, ${decoder}`);
    const layers = [...architecture.sizes].filter(([key]) => /layers?$/.test(key)).map(([, count]) => Number(count));
    assert(layers.every((count) => count < defaultLimits.maxLayers / 10), `${encoder}, ${decoder}: ${layers}`);
  }
});

Deno.test("no published configuration is refused", () => {
  for (const { config } of Object.values(publishedModels)) {
    assert(declaredParameters(architectureOf(config)).size > 100);
  }
});
