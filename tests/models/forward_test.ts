import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ConfigError,
  defaultConfig,
  LimnerError,
  OptionError,
  ShapeError,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { shiftTokensRight } from "../../src/model/forward_inputs.ts";
import { VisionEncoderDecoderConfig } from "../../src/models/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const models = new URL("../fixtures/models/", import.meta.url);
const { shift_tokens_right: shifts } = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/training/shift_and_errors.json", import.meta.url)),
);
const white = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(1));

function open(name: string): Promise<VisionEncoderDecoderModel> {
  return VisionEncoderDecoderModel.fromPretrained(new URL(`${name}/`, models), { backend: "reference" });
}

Deno.test("shiftTokensRight() shifts labels as Transformers", () => {
  assertEquals(shifts.length, 5);
  for (const { labels, pad_token_id, decoder_start_token_id, decoder_input_ids } of shifts) {
    const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("vit"), defaultConfig("bert"), {
      pad_token_id,
      decoder_start_token_id,
    });
    assertEquals(shiftTokensRight(labels, config), decoder_input_ids);
  }
});

for (const key of ["decoder_start_token_id", "pad_token_id"]) {
  for (const value of [null, undefined]) {
    Deno.test(`forward() with labels names config.${key} where it is ${value}, and reads it at each call`, async () => {
      await using model = await open("vit_bert");
      const before = model.config[key];
      model.config[key] = value;
      const error = await assertRejects(() => model.forward({ pixelValues: white, labels: [[5, -100]] }), ConfigError);
      assertEquals(error.key, key);
      assert(error.message.includes(key), error.message);
      model.config[key] = before;
      assert((await model.forward({ pixelValues: white, labels: [[5, -100]] })).loss! > 0);
    });
  }
}

Deno.test("forward() refuses inputs that do not fit, and says what does", async () => {
  await using model = await open("vit_bert");
  const ids = [[2, 5]];
  const small = new Tensor("float32", [1, 3, 16, 16], new Float32Array(3 * 256));
  const grey = new Tensor("float32", [1, 1, 32, 32], new Float32Array(1024));
  const states = new Tensor("float32", [1, 17, 31], new Float32Array(17 * 31));
  const cases: readonly [Parameters<typeof model.forward>[0], string][] = [
    [{}, "pixelValues"],
    [{ decoderInputIds: ids }, "pixelValues"],
    [{ pixelValues: white.data as unknown as Tensor, decoderInputIds: ids }, "expected a Tensor"],
    [{ pixelValues: white }, "decoderInputIds nor labels"],
    [{ pixelValues: small, decoderInputIds: ids }, "16 × 16"],
    [{ pixelValues: grey, decoderInputIds: ids }, "[batch, 3, height, width]"],
    [{ pixelValues: white, decoderInputIds: [[1], [2]] }, "1 rows"],
    [{ pixelValues: white, decoderInputIds: [[1, 2], [2]] }, "1 rows"],
    [{ pixelValues: white, decoderInputIds: [[]] }, "at least 1"],
    [{ pixelValues: white, decoderInputIds: [Array(60).fill(5)] }, "48 positions"],
    [{ pixelValues: white, decoderInputIds: [[100000]] }, "100000"],
    [{ pixelValues: white, decoderInputIds: [[1.5]] }, "1.5"],
    [{ pixelValues: white, labels: [[100000]] }, "100000"],
    [{ pixelValues: white, labels: [[-1]] }, "-100"],
    [{ pixelValues: white, labels: [[5]], decoderInputIds: ids }, "decoderInputIds"],
    [{ pixelValues: white, decoderInputIds: ids, decoderAttentionMask: [[1]] }, "decoderAttentionMask"],
    [{ encoderOutputs: states, decoderInputIds: ids }, "[batch, positions, 32]"],
  ];
  for (const [inputs, part] of cases) {
    const { message } = await assertRejects(() => model.forward(inputs), ShapeError);
    assert(message.includes(part), `${message} does not say ${part}`);
  }
  const misnamed = { pixelValues: white, decoder_input_ids: ids };
  const { message } = await assertRejects(() => model.forward(misnamed), OptionError);
  assert(message.includes("decoder_input_ids") && message.includes("decoderInputIds"), message);
});

Deno.test("forward() takes ids as numbers or as a tensor, and given ids beside labels", async () => {
  await using model = await open("vit_roberta");
  const tensor = new Tensor("int64", [1, 3], BigInt64Array.of(0n, 9n, 1n));
  const fromTensor = await model.forward({ pixelValues: white, decoderInputIds: tensor });
  const fromRows = await model.forward({ pixelValues: white, decoderInputIds: [[0, 9, 1]], labels: [[9, 1, 2]] });
  assertEquals(fromTensor.logits, fromRows.logits);
  assertEquals(fromTensor.loss, undefined);
  const { loss } = await model.forward({ pixelValues: white, labels: [[9, 1, 2]] });
  assertEquals(loss, fromRows.loss); // the start token is 0
});

Deno.test("forward() computes the loss by hand's definition: mean over counted labels, not shifted again", async () => {
  await using model = await open("vit_gpt2_scaled");
  const labels = [[7, -100, 3]];
  const { logits, loss } = await model.forward({ pixelValues: white, labels });
  const [rows] = logits.toList() as number[][][];
  const each = labels[0].flatMap((label, t) => {
    if (label < 0) return [];
    const total = rows[t].reduce((sum, value) => sum + Math.exp(value - Math.max(...rows[t])), 0);
    return [Math.log(total) + Math.max(...rows[t]) - rows[t][label]];
  });
  assertEquals(each.length, 2);
  assert(Math.abs(loss! - (each[0] + each[1]) / 2) < 1e-5 * loss!);
});

Deno.test("encoders take pictures of other sizes as Transformers does: with stretched positions, or not at all", async () => {
  const tall = new Tensor("float32", [1, 3, 52, 44], new Float32Array(3 * 52 * 44).fill(0.5));
  const sources: Record<string, number | string> = {
    vit_bert: "interpolatePosEncoding", // 4 × 4 patches of 8, and 6 × 5 of the tall picture
    deit_bert: "interpolatePosEncoding",
    beit_roberta_abs_nomean: 31,
    beit_trocr: 31,
    swin_bert: 42, // 13 × 11 patches of 4, merged to 7 × 6
    swin_bert_pad_ape: "interpolatePosEncoding",
  };
  for (const [name, expected] of Object.entries(sources)) {
    await using model = await open(name);
    const inputs = { pixelValues: tall, decoderInputIds: [[2]] };
    if (typeof expected === "string") {
      const { message } = await assertRejects(() => model.forward(inputs), ShapeError);
      assert(message.includes(expected), message);
    } else {
      assertEquals((await model.forward(inputs)).encoderLastHiddenState.shape[1], expected, name);
    }
    const { logits } = await model.forward({ ...inputs, interpolatePosEncoding: true });
    assert(logits.data.every((value) => Number.isFinite(Number(value))), name);
  }
});

Deno.test("a Swin refuses pictures that its window does not fit into", async () => {
  await using model = await open("swin_bert");
  const tiny = new Tensor("float32", [1, 3, 16, 16], new Float32Array(3 * 256));
  const { message } = await assertRejects(
    () => model.forward({ pixelValues: tiny, decoderInputIds: [[2]] }),
    ShapeError,
  );
  assert(message.includes("window"), message);
});

Deno.test("calls under way at once do not disturb one another", async () => {
  const golden = await readTensors(new URL("vit_bert/golden.safetensors", models));
  await using model = await open("vit_bert");
  const inputs = { pixelValues: golden.get("pixel_values")!, decoderInputIds: golden.get("decoder_input_ids")! };
  const alone = await model.forward(inputs);
  const results = await Promise.allSettled([
    model.forward(inputs),
    model.forward({ pixelValues: white }),
    model.generate(white, { maxNewTokens: 3 }),
    model.forward({ ...inputs, outputHiddenStates: true }),
  ]);
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  assertEquals((results[0] as PromiseFulfilledResult<typeof alone>).value, alone);
  assertThrows(() => {
    throw (results[1] as PromiseRejectedResult).reason;
  }, LimnerError);
});

Deno.test("a token that may see nothing sees all alike, on every backend", async () => {
  // Left padding: the first two queries of the first row see no key.
  const decoderInputIds = [[1, 1, 5, 6, 7], [2, 9, 5, 6, 7]];
  const decoderAttentionMask = [[0, 0, 1, 1, 1], [1, 1, 1, 0, 1]];
  const golden = await readTensors(new URL("vit_gpt2_scaled/golden.safetensors", models));
  const pixelValues = golden.get("pixel_values")!;
  let expected: Tensor | undefined;
  for (const backend of testedBackends.toReversed()) {
    await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_gpt2_scaled/", models), {
      backend,
    });
    const inputs = { pixelValues, decoderInputIds, decoderAttentionMask };
    const { logits, decoderAttentions } = await model.forward({ ...inputs, outputAttentions: true });
    const [first] = (decoderAttentions![0].toList() as number[][][][])[0];
    assertEquals(first[1].map((x) => Math.round(x * 1e5)), Array(5).fill(2e4));
    expected ??= logits;
    assertClose((await model.forward(inputs)).logits, expected, 2e-4, backend);
  }
});
