import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, type Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const folder = new URL("../fixtures/warmstart/", import.meta.url);
const models = new URL("../fixtures/models/", import.meta.url);
const cases = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.includes("__")).sort();
const backend = testedBackends.includes("ffi") ? "ffi" : "reference";

async function readJson(file: string) {
  return JSON.parse(await Deno.readTextFile(new URL(file, folder)));
}

/** What Python loses of a sequence-to-sequence checkpoint, and Limner takes from its `model.shared.weight`. */
const shared = "decoder.model.decoder.embed_tokens.weight";

async function setAll(model: VisionEncoderDecoderModel, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  for (const [name, tensor] of tensors) await model.setParameter(name, tensor);
}

for (const name of cases) {
  const golden = await readJson(`${name}/golden.json`);
  if (golden.error) continue;
  Deno.test(`fromEncoderDecoderPretrained() makes ${name} as Transformers`, async () => {
    await using model = await VisionEncoderDecoderModel.fromEncoderDecoderPretrained(
      new URL(`${golden.encoder}/`, folder),
      new URL(`${golden.decoder}/`, folder),
      { backend },
    );
    const shapes = [...model.namedParameters()].map(([name, { shape }]) => [name, [...shape]] as const);
    assertEquals(Object.fromEntries(shapes), golden.parameters);
    assertEquals(model.newlyInitialized, golden.newly_initialized.filter((name: string) => name !== shared));
    const { pad_token_id, decoder_start_token_id, eos_token_id, ...config } = await readJson(`${name}/config.json`);
    assertEquals({ ...model.config.toFile(), architectures: config.architectures, dtype: config.dtype }, config);
    Object.assign(model.config, { pad_token_id, decoder_start_token_id, eos_token_id });
    if (golden.newly_initialized.length) {
      await setAll(model, await readTensors(new URL(`${name}/new_parameters.safetensors`, folder)));
    }
    const expected = await readTensors(new URL(`${name}/golden.safetensors`, folder));
    const pixelValues = (await readTensors(new URL("pixel_values.safetensors", folder))).get("pixel_values")!;
    const { logits } = await model.forward({ pixelValues, decoderInputIds: expected.get("decoder_input_ids")! });
    assertClose(logits, expected.get("logits")!, 1e-4, "the logits");
    const { loss } = await model.forward({ pixelValues, labels: expected.get("labels")! });
    assert(Math.abs(loss! / Number(expected.get("loss")!.data[0]) - 1) < 1e-4, `the loss is ${loss}`);
  });
}

Deno.test("fromEncoderDecoderPretrained() makes a decoder of DistilBERT, which Transformers cannot", async () => {
  const repository = new URL("vit_distilbert/", models);
  const golden = await readTensors(new URL("golden.safetensors", repository));
  const cross = await readTensors(new URL("cross_attention.safetensors", repository));
  await using model = await VisionEncoderDecoderModel.fromEncoderDecoderPretrained(
    new URL("vit_encoder/", repository),
    new URL("distilbert_masked_lm/", repository),
    { backend },
  );
  const names = [...cross.keys()].sort();
  assertEquals(model.newlyInitialized.filter((name) => name.includes("crossattention")), names);
  await setAll(model, cross);
  const decoderInputIds = golden.get("decoder_input_ids")!;
  const { logits } = await model.forward({ pixelValues: golden.get("pixel_values")!, decoderInputIds });
  assertClose(logits, golden.get("logits")!, 1e-4, "the logits");
});

Deno.test("fromEncoderDecoderPretrained() lays overrides over the two configurations, and repeats with its seed", async () => {
  const open = (seed?: number) =>
    VisionEncoderDecoderModel.fromEncoderDecoderPretrained(
      new URL("checkpoints/encoders/vit/", folder),
      new URL("checkpoints/decoders/bert_model/", folder),
      {
        backend,
        seed,
        encoderOverrides: { hidden_dropout_prob: 0.5 },
        decoderOverrides: { tie_word_embeddings: false },
      },
    );
  await using model = await open(7);
  await using again = await open(7);
  await using other = await open(8);
  assertEquals(model.config.encoder.hidden_dropout_prob, 0.5);
  const head = "decoder.cls.predictions.decoder.weight";
  assert(model.newlyInitialized.includes(head));
  assertEquals(await model.parameter(head), await again.parameter(head));
  assert(String((await model.parameter(head)).data) !== String((await other.parameter(head)).data));
});

Deno.test("fromEncoderDecoderPretrained() refuses a text model as encoder by name", async () => {
  const text = new URL("checkpoints/decoders/bert_model/", folder);
  const { message } = await assertRejects(
    () => VisionEncoderDecoderModel.fromEncoderDecoderPretrained(text, text, { backend }),
    ConfigError,
  );
  assert(message.includes('encoder.model_type is "bert"'), message);
});
