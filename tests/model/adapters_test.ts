// LoRA adapters of Python's peft on every backend: they compute what Python computed, before and after merging; and what is
// written of them is read again.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type BackendName,
  defaultConfig,
  LimnerError,
  loadBackend,
  OptionError,
  readCheckpoint,
  Tensor,
  Trainer,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { partsOf } from "../../src/model/vision_encoder_decoder_model.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { assertClose } from "../conformance/closeness.ts";

const fixtures = "tests/fixtures";
const models = {
  vit_gpt2: "vit_gpt2_captioning",
  vit_gpt2_all_linear: "vit_gpt2_captioning",
  deit_trocr: "deit_trocr_small",
};
const tolerance = { ffi: 1e-4, webgpu: 2e-4, reference: 1e-4, wasm: 1e-4 };

const scalar = (value: number) => new Tensor("float32", [], Float32Array.of(value));

async function inputsOf(model: string) {
  const golden = await readCheckpoint(`${fixtures}/models/${model}/golden.safetensors`);
  return {
    inputs: { pixelValues: golden.get("pixel_values")!, decoderInputIds: golden.get("decoder_input_ids")! },
    plain: golden.get("logits")!,
  };
}

for (const [name, base] of Object.entries(models)) {
  for (const backend of testedBackends) {
    Deno.test(`${name}: an adapter of peft computes as in Python, merged too, on ${backend}`, async () => {
      const { inputs, plain } = await inputsOf(base);
      const golden = await readCheckpoint(`${fixtures}/adapters/${name}/golden.safetensors`);
      const folder = await Deno.makeTempDir();
      await using model = await VisionEncoderDecoderModel.fromPretrained(`${fixtures}/models/${base}`, { backend });
      const check = async (expected: Tensor, what: string) =>
        assertClose((await model.forward(inputs)).logits, expected, tolerance[backend], what);
      const checkText = async () => {
        const { sequences } = await model.generate(inputs.pixelValues, {
          maxNewTokens: 8,
          numBeams: 1,
          doSample: false,
        });
        assertEquals(sequences, golden.get("sequences")!.toList());
      };
      await check(plain, "the model");
      await model.loadAdapter(`${fixtures}/adapters/${name}`);
      await check(golden.get("logits")!, "with the adapter");
      await checkText();
      await model.saveAdapter(folder);
      await model.unloadAdapter();
      await check(plain, "without the adapter");
      await model.loadAdapter(folder);
      await check(golden.get("logits")!, "with the adapter as it was written");
      await model.mergeAdapters();
      await check(golden.get("logits")!, "merged");
      await checkText();
      await model.savePretrained(`${folder}/merged`);
      await using merged = await VisionEncoderDecoderModel.fromPretrained(`${folder}/merged`, { backend });
      assertEquals([...merged.namedParameters().keys()].sort(), [...model.namedParameters().keys()].sort());
      assertClose((await merged.forward(inputs)).logits, golden.get("logits")!, tolerance[backend], "saved");
      await Deno.remove(folder, { recursive: true });
    });
  }
}

/** A tiny model, with what trainers know of it. */
async function tiny(backend: BackendName = "reference") {
  const model = await VisionEncoderDecoderModel.fromPretrained(`${fixtures}/models/vit_gpt2_captioning`, { backend });
  return { model, parts: () => partsOf(model) };
}

/** Wide enough that a GPU computes queries, keys and values as one product. */
const wide = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", {
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 128,
    image_size: 32,
    patch_size: 8,
  }),
  defaultConfig("gpt2", { n_embd: 64, n_layer: 2, n_head: 2, n_positions: 16, vocab_size: 400 }),
  { decoder_start_token_id: 1, pad_token_id: 0 },
);

for (const backend of testedBackends) {
  Deno.test(`a new adapter changes nothing, adds its bytes alone, and gives them back, on ${backend}`, async () => {
    const { inputs } = await inputsOf("vit_gpt2_captioning");
    await using model = await VisionEncoderDecoderModel.fromConfig(wide, { backend, seed: 3 });
    const { logits } = await model.forward(inputs);
    const text = await model.generate(inputs.pixelValues, { maxNewTokens: 4 });
    const before = model.backend.counters.weightBytes;
    const { core } = partsOf(model);
    const names = await core.attachAdapter({ rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "fc1", "c_attn"] });
    assertEquals(names.length, 2 * 3 * 2 + 2 * 2 * 2); // A and B of three in each layer, and of c_attn in either attention
    const numbers = names.map((name) => core.parameters.source.get(name)!.shape.reduce((a, b) => a * b))
      .reduce((a, b) => a + b);
    assertClose((await model.forward(inputs)).logits, logits, 1e-6, "the logits");
    assertEquals((await model.generate(inputs.pixelValues, { maxNewTokens: 4 })).sequences, text.sequences);
    const added = model.backend.counters.weightBytes - before;
    // Panels of 64 outputs and 8 inputs hold an A of 4 rows in sixteen times its bytes, and a B of 4 columns in twice.
    assert(added >= 4 * numbers && added <= 16 * 4 * numbers, `${added} bytes for ${numbers} numbers`);
    assert(added < before / 4, `${added} bytes beside ${before}`);
    await model.unloadAdapter();
    assertEquals(model.backend.counters.weightBytes, before);
    assertEquals([...model.namedParameters().keys()].filter((name) => name.includes("lora")), []);
  });

  Deno.test(`a trainer that freezes all else trains an adapter alone, on ${backend}`, async () => {
    const { inputs: { pixelValues } } = await inputsOf("vit_gpt2_captioning");
    const { model, parts } = await tiny(backend);
    await using _model = model;
    const names = await parts().core.attachAdapter({ rank: 4, alpha: 8, targets: ["q_proj", "fc1", "c_attn", "c_fc"] });
    const folder = await Deno.makeTempDir();
    const before = await model.parameter("decoder.transformer.h.0.attn.c_attn.weight");
    const labels = [[5, 9, 7], [11, 3, 4]];
    {
      await using trainer = await Trainer.create(model, {
        learningRate: 5e-3,
        frozen: (name) => !names.includes(name),
      });
      assertEquals([...trainer.trained].sort(), names.toSorted());
      const losses: number[] = [];
      for (let step = 0; step < 8; step++) losses.push((await trainer.step({ pixelValues, labels })).loss);
      assert(losses[7] < losses[0] - 0.5, String(losses));
      const after = await model.parameter("decoder.transformer.h.0.attn.c_attn.weight");
      assertEquals(after.toList(), before.toList());
      await model.saveAdapter(folder);
      await model.mergeAdapters();
      const { message } = await assertRejects(() => trainer.step({ pixelValues, labels }), LimnerError);
      assert(message.includes("adapter was added or taken away"), message);
    }
    const { loss } = await model.forward({ pixelValues, labels });
    const other = await tiny(backend);
    await using _other = other.model;
    await other.model.loadAdapter(folder);
    const loaded = (await other.model.forward({ pixelValues, labels })).loss!;
    assertClose(scalar(loaded), scalar(loss!), tolerance[backend], "loaded");
    await Deno.remove(folder, { recursive: true });
  });

  Deno.test(`an adapter's parameters are set as the model's are, on ${backend}`, async () => {
    const { inputs } = await inputsOf("vit_gpt2_captioning");
    const { model, parts } = await tiny(backend);
    await using _model = model;
    const names = await parts().core.attachAdapter({ rank: 2, alpha: 4, targets: ["c_proj"] });
    const { logits } = await model.forward(inputs);
    const name = names.find((name) => name.endsWith("lora_B.weight"))!;
    const { shape } = await model.parameter(name);
    const value = new Tensor("float32", shape, Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i % 5 - 2));
    await model.setParameter(name, value);
    const changed = (await model.forward(inputs)).logits;
    assert(changed.data.some((x, i) => Math.abs(Number(x) - Number(logits.data[i])) > 1e-3));
    assertEquals((await model.parameter(name)).toList(), value.toList());
    await model.mergeAdapters();
    assertClose((await model.forward(inputs)).logits, changed, tolerance[backend], "merged");
  });
}

Deno.test("a model with an adapter says what must be done before it is saved, resized or given another", async () => {
  const { model, parts } = await tiny();
  await using _model = model;
  await assertRejects(() => model.saveAdapter("nowhere"), LimnerError, "the model has none");
  await assertRejects(() => model.mergeAdapters(), LimnerError, "the model has none");
  await model.loadAdapter(`${fixtures}/adapters/vit_gpt2`);
  await assertRejects(() => model.savePretrained("nowhere"), LimnerError, "mergeAdapters()");
  await assertRejects(() => model.resizeTokenEmbeddings(10), LimnerError, "mergeAdapters()");
  await assertRejects(
    () => model.loadAdapter(`${fixtures}/adapters/vit_gpt2`),
    LimnerError,
    "the model has an adapter",
  );
  await model.unloadAdapter();
  await parts().core.attachAdapter({ rank: 2, alpha: 2, targets: ["lm_head"] });
  const error = await assertRejects(() => model.mergeAdapters(), OptionError);
  assert(error.message.includes("decoder.transformer.wte.weight"), error.message);
});

Deno.test("backends share a model with an adapter: a second one on the same backend has none", async () => {
  await using backend = await loadBackend("reference");
  const open = () => VisionEncoderDecoderModel.fromPretrained(`${fixtures}/models/vit_gpt2_captioning`, { backend });
  const { inputs, plain } = await inputsOf("vit_gpt2_captioning");
  await using one = await open();
  await using other = await open();
  await one.loadAdapter(`${fixtures}/adapters/vit_gpt2`);
  assertClose((await other.forward(inputs)).logits, plain, 1e-4, "the other model");
});
