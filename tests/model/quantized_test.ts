import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadWithProfile } from "../../backends/webgpu/mod.ts";
import { Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { architectureOf } from "../../src/models/mod.ts";
import { quantizationRules, quantizedParameters } from "../../src/models/quantization.ts";
import { assertClose } from "../conformance/closeness.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";
import { exactFfi, inputs, quantizedConfigs, quantizedModel } from "./quantized_models.ts";

const { pixelValues, decoderInputIds } = inputs;

for (const name of Object.keys(quantizedConfigs) as (keyof typeof quantizedConfigs)[]) {
  for (const dtype of ["q8", "q4"] as const) {
    Deno.test(`a ${name} model of ${dtype} computes on ffi as the reference does of the decoded weights`, async () => {
      await using backend = await exactFfi();
      await using here = await quantizedModel(name, { backend, dtype });
      await using expected = await quantizedModel(name, { backend: "reference", dtype });
      await using whole = await quantizedModel(name, { backend: "reference" });
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
  const architecture = architectureOf(quantizedConfigs.swinv2);
  const named = quantizedParameters(architecture, "q4");
  const bits = (name: string) => named.get(name)?.bits;
  assertEquals(bits("encoder.encoder.layers.1.blocks.0.attention.self.query.weight"), 4);
  assertEquals(bits("decoder.bert.encoder.layer.0.crossattention.self.key.weight"), 4);
  // The head shares the table of words.
  assertEquals(bits("decoder.bert.embeddings.word_embeddings.weight"), 8);
  const others = [...named.keys()].filter((name) => /position|norm|patch|bias|token/i.test(name));
  assertEquals(others, []);
  assertEquals([...quantizedParameters(architecture, "q8").values()].map((encoding) => encoding.bits).sort()[0], 8);
  // What reads the picture alone has hundreds of rows.
  const rows = (name: string) => quantizedParameters(architectureOf(quantizedConfigs.trocr), "q8").get(name)?.rowScales;
  assertEquals(rows("encoder.encoder.layer.0.intermediate.dense.weight"), true);
  assertEquals(rows("decoder.model.decoder.layers.1.encoder_attn.k_proj.weight"), true);
  assertEquals(rows("decoder.model.decoder.layers.1.encoder_attn.q_proj.weight"), undefined);
  assertEquals(rows("decoder.model.decoder.layers.1.fc1.weight"), undefined);
  assertEquals([...named.values()].some(({ rowScales }) => rowScales), false);
  assertEquals(Object.values(quantizationRules).every(({ reason }) => reason.length > 20), true);
});

Deno.test("a quantised model takes other values in float32", async () => {
  await using backend = await exactFfi();
  await using quantised = await quantizedModel("gpt2", { backend, dtype: "q8" });
  const name = "decoder.transformer.h.0.mlp.c_fc.weight";
  const before = await quantised.forward({ pixelValues, decoderInputIds });
  const value = numbers(9, 32, 128);
  await quantised.setParameter(name, value);
  assertEquals((await quantised.parameter(name)).data, value.data);
  const after = await quantised.forward({ pixelValues, decoderInputIds });
  assert(after.logits.data.some((logit, i) => Math.abs(Number(logit) - Number(before.logits.data[i])) > 1e-3));
});

for (const profile of ["soft", "gpu"] as const) {
  Deno.test(`models of few bits compute on webgpu's ${profile} kernels as the reference does of the decoded weights`, async () => {
    for (const [name, dtype] of [["gpt2", "q8"], ["swinv2", "q4"]] as const) {
      await using backend = await loadWithProfile(profile);
      await using here = await quantizedModel(name, { backend, dtype });
      await using expected = await quantizedModel(name, { backend: "reference", dtype });
      const forward = (of: VisionEncoderDecoderModel) => of.forward({ pixelValues, decoderInputIds });
      const { logits } = await forward(expected);
      assertClose((await forward(here)).logits, logits, 2e-4, `${name} ${dtype}: the logits`);
      const options = { maxNewTokens: 6, minNewTokens: 6, numBeams: 2 };
      const { sequences } = await here.generate(pixelValues, options);
      assertEquals(sequences, (await expected.generate(pixelValues, options)).sequences, `${name} ${dtype}`);
    }
  });

  Deno.test(`a model of float16 computes on webgpu's ${profile} kernels about as in float32`, async () => {
    await using backend = await loadWithProfile(profile);
    await using here = await quantizedModel("gpt2", { backend, dtype: "float16" });
    const half = backend.counters.weightBytes;
    await using whole = await quantizedModel("gpt2", { backend });
    const forward = (of: VisionEncoderDecoderModel) => of.forward({ pixelValues, decoderInputIds });
    const [{ logits: found }, { logits }] = [await forward(here), await forward(whole)];
    assertClose(found, logits, 2e-3, "the logits");
    assert(found.data.some((value, i) => value !== logits.data[i]));
    assert(half < 0.75 * (backend.counters.weightBytes - half), "float16 takes less memory");
  });
}

Deno.test("webgpu encodes the values that a quantised model is given", async () => {
  await using backend = await loadWithProfile("gpu");
  await using quantised = await quantizedModel("gpt2", { backend, dtype: "q8" });
  const name = "decoder.transformer.h.0.mlp.c_fc.weight";
  const value = numbers(9, 32, 128);
  await quantised.forward({ pixelValues, decoderInputIds });
  await quantised.setParameter(name, value);
  assertEquals((await quantised.parameter(name)).data, value.data);
  await using expected = await quantizedModel("gpt2", { backend: "reference", dtype: "q8" });
  await expected.setParameter(name, value);
  const { logits } = await expected.forward({ pixelValues, decoderInputIds });
  // The codes of the new values are rounded, as the reference's are not.
  assertClose((await quantised.forward({ pixelValues, decoderInputIds })).logits, logits, 2e-2, "the logits");
});

Deno.test("an infinite weight is named when it is to be quantised", async () => {
  await using whole = await quantizedModel("gpt2", { backend: "reference" });
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
