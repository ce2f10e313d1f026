import { assert, assertEquals, assertRejects } from "@std/assert";
import { FfiBackend } from "../../backends/ffi/backend.ts";
import { findLibrary } from "../../backends/ffi/library.ts";
import { Runtime } from "../../backends/ffi/runtime.ts";
import {
  BackendError,
  defaultConfig,
  type LoadOptions,
  type PretrainedConfig,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { architectureOf, quantizationRules, quantizedParameters } from "../../src/models/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";

const vit = { image_size: 32, patch_size: 16, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2 };
const ids = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 1, vocab_size: 48 };
const special = { decoder_start_token_id: 0, pad_token_id: 1, eos_token_id: 1 };

function joined(encoder: PretrainedConfig, decoder: PretrainedConfig): VisionEncoderDecoderConfig {
  return VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(encoder, decoder, special);
}

/** A tied head over Conv1D layers; one of its own below a projection; and layers of three kinds of position. */
const configs = {
  gpt2: joined(
    defaultConfig("vit", { ...vit, intermediate_size: 64 }),
    defaultConfig("gpt2", { ...ids, n_embd: 32, n_layer: 2, n_head: 2, n_positions: 24, activation_function: "gelu" }),
  ),
  trocr: joined(
    defaultConfig("deit", { ...vit, intermediate_size: 64 }),
    defaultConfig("trocr", {
      ...{ ...ids, d_model: 48, decoder_layers: 2, decoder_attention_heads: 2, decoder_ffn_dim: 64 },
      ...{ max_position_embeddings: 24, cross_attention_hidden_size: 32, tie_word_embeddings: false },
    }),
  ),
  swinv2: joined(
    defaultConfig("swinv2", {
      ...{ image_size: 32, patch_size: 4, embed_dim: 16, depths: [1, 1], num_heads: [1, 2], window_size: 4 },
    }),
    defaultConfig("bert", {
      ...{ vocab_size: 48, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64 },
      ...{ max_position_embeddings: 24, pad_token_id: 1 },
    }),
  ),
};

function model(name: keyof typeof configs, options: LoadOptions): Promise<VisionEncoderDecoderModel> {
  return VisionEncoderDecoderModel.fromConfig(configs[name], { ...options, seed: 4 });
}

const pixelValues = numbers(1, 1, 3, 32, 32);
const decoderInputIds = [[0, 5, 17, 40, 3]];

async function ffi(): Promise<FfiBackend> {
  return new FfiBackend(Runtime.open(await findLibrary({}), {}), "CPU", undefined, false);
}

for (const name of Object.keys(configs) as (keyof typeof configs)[]) {
  for (const dtype of ["q8", "q4"] as const) {
    Deno.test(`a ${name} model of ${dtype} computes on ffi as the reference does of the decoded weights`, async () => {
      await using backend = await ffi();
      await using here = await model(name, { backend, dtype });
      await using expected = await model(name, { backend: "reference", dtype });
      await using whole = await model(name, { backend: "reference" });
      const forward = (of: VisionEncoderDecoderModel) => of.forward({ pixelValues, decoderInputIds });
      const { logits } = await forward(expected);
      assertClose((await forward(here)).logits, logits, 2e-4, "the logits");
      // The weights are coarser indeed: else there would be nothing to compare.
      const { logits: plain } = await forward(whole);
      assert(logits.data.some((value, i) => Math.abs(Number(value) - Number(plain.data[i])) > 1e-4));
      const options = { maxNewTokens: 6, minNewTokens: 6 };
      const { sequences: [found] } = await here.generate(pixelValues, { ...options, numBeams: 2 });
      assertEquals(found.length, 7);
    });
  }
}

Deno.test("what is quantised is what the table says", () => {
  const architecture = architectureOf(configs.swinv2);
  const named = quantizedParameters(architecture, "q4");
  const bits = (name: string) => named.get(name)?.bits;
  assertEquals(bits("encoder.encoder.layers.1.blocks.0.attention.self.query.weight"), 4);
  assertEquals(bits("decoder.bert.encoder.layer.0.crossattention.self.key.weight"), 4);
  // The head shares the table of words.
  assertEquals(bits("decoder.bert.embeddings.word_embeddings.weight"), 8);
  const others = [...named.keys()].filter((name) => /position|norm|patch|bias|token/i.test(name));
  assertEquals(others, []);
  assertEquals([...quantizedParameters(architecture, "q8").values()].map((encoding) => encoding.bits).sort()[0], 8);
  assertEquals(Object.values(quantizationRules).every(({ reason }) => reason.length > 20), true);
});

Deno.test("a quantised model takes other values in float32", async () => {
  await using backend = await ffi();
  await using quantised = await model("gpt2", { backend, dtype: "q8" });
  const name = "decoder.transformer.h.0.mlp.c_fc.weight";
  const before = await quantised.forward({ pixelValues, decoderInputIds });
  const value = numbers(9, 32, 128);
  await quantised.setParameter(name, value);
  assertEquals((await quantised.parameter(name)).data, value.data);
  const after = await quantised.forward({ pixelValues, decoderInputIds });
  assert(after.logits.data.some((logit, i) => Math.abs(Number(logit) - Number(before.logits.data[i])) > 1e-3));
});

Deno.test("webgpu says that it has no kernels for few bits", async () => {
  const error = await assertRejects(() => model("gpt2", { backend: "webgpu", dtype: "q8" }), BackendError);
  assert(/q8: .*no kernels for fewer bits/.test(error.message), error.message);
});

Deno.test("an infinite weight is named when it is to be quantised", async () => {
  await using whole = await model("gpt2", { backend: "reference" });
  const name = "encoder.encoder.layer.0.intermediate.dense.weight";
  await whole.setParameter(name, new Tensor("float32", [64, 32], new Float32Array(64 * 32).fill(Infinity)));
  const folder = await Deno.makeTempDir();
  try {
    await whole.savePretrained(folder);
    const load = () => VisionEncoderDecoderModel.fromPretrained(folder, { backend: "ffi", dtype: "q8" });
    await assertRejects(load, Error, name);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
