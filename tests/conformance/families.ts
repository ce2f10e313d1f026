// Every family against Transformers: the models of fixtures/models, with all that `forward` can give, on any backend.
import { assertEquals } from "@std/assert";
import type { Backend } from "../../src/graph/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { VisionEncoderDecoderModel } from "../../src/model/vision_encoder_decoder_model.ts";
import { assertClose } from "./closeness.ts";
import { readTensors } from "./read_golden.ts";

const folder = new URL("../fixtures/models/", import.meta.url);

/** The models of fixtures/models. */
export const modelNames: readonly string[] = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

interface Golden {
  readonly max_abs_diff_float32_vs_float64?: Readonly<Record<string, number>>;
  readonly parameters: Readonly<Record<string, number[]>>;
}

/** Compares results with one model's goldens, allowing what rounding alone moves them. */
class GoldenCheck {
  constructor(readonly tensors: ReadonlyMap<string, Tensor>, readonly golden: Golden, readonly tolerance: number) {}

  close(actual: Tensor | undefined, name: string): void {
    const expected = this.tensors.get(name)!;
    const rounding = this.golden.max_abs_diff_float32_vs_float64?.[name] ?? 0;
    let largest = 0;
    for (const value of expected.data) largest = Math.max(largest, Math.abs(Number(value)));
    assertClose(actual!, expected, Math.max(this.tolerance, rounding / largest), name);
  }

  list(actual: readonly Tensor[] | undefined, name: string): void {
    const expected = [...this.tensors.keys()].filter((key) => key.startsWith(`${name}.`));
    assertEquals(actual?.length, expected.length, name);
    actual!.forEach((tensor, n) => this.close(tensor, `${name}.${n}`));
  }
}

async function checkForward(model: VisionEncoderDecoderModel, check: GoldenCheck): Promise<void> {
  const { tensors } = check;
  const pixelValues = tensors.get("pixel_values")!;
  const decoderInputIds = tensors.get("decoder_input_ids")!;
  const plain = await model.forward({ pixelValues, decoderInputIds });
  check.close(plain.encoderLastHiddenState, "encoder_last_hidden_state");
  check.close(plain.logits, "logits");
  assertEquals(Object.keys(plain).sort(), ["encoderLastHiddenState", "logits"]);
  const everything = await model.forward({
    encoderOutputs: plain.encoderLastHiddenState,
    decoderInputIds,
    outputAttentions: true,
    outputHiddenStates: true,
  });
  check.close(everything.logits, "logits");
  check.list(everything.decoderHiddenStates, "decoder_hidden_states");
  check.close(everything.crossAttentions!.at(-1), "cross_attentions.last");
  assertEquals(everything.decoderAttentions!.length, everything.crossAttentions!.length);
  const [first] = everything.decoderAttentions!;
  const T = decoderInputIds.shape[1];
  assertEquals(first.shape.slice(2), [T, T]);
  assertEquals(Number(first.data[0]), 1); // the first token sees itself only
  const encoded = await model.forward({ pixelValues, decoderInputIds, outputHiddenStates: true });
  check.list(encoded.encoderHiddenStates, "encoder_hidden_states");
}

async function checkMaskAndLabels(model: VisionEncoderDecoderModel, check: GoldenCheck): Promise<void> {
  const { tensors } = check;
  const pixelValues = tensors.get("pixel_values")!;
  if (tensors.has("logits_with_decoder_attention_mask")) {
    const masked = await model.forward({
      pixelValues,
      decoderInputIds: tensors.get("decoder_input_ids")!,
      decoderAttentionMask: tensors.get("decoder_attention_mask")!,
    });
    check.close(masked.logits, "logits_with_decoder_attention_mask");
  }
  const labelled = await model.forward({ pixelValues, labels: tensors.get("labels")! });
  check.close(labelled.logits, "logits_with_labels");
  check.close(new Tensor("float32", [], Float32Array.of(labelled.loss!)), "loss");
}

async function checkInterpolation(model: VisionEncoderDecoderModel, check: GoldenCheck): Promise<void> {
  const output = await model.forward({
    pixelValues: check.tensors.get("interp.pixel_values")!,
    decoderInputIds: check.tensors.get("decoder_input_ids")!,
    interpolatePosEncoding: true,
  });
  check.close(output.encoderLastHiddenState, "interp.encoder_last_hidden_state");
  check.close(output.logits, "interp.logits");
}

/** Greedy texts, which hold the cache against teacher forcing. */
async function checkGreedy(model: VisionEncoderDecoderModel, check: GoldenCheck): Promise<void> {
  const expected = check.tensors.get("greedy_sequences")!;
  // Whatever the repository asks for, these goldens are plain.
  Object.assign(model.generationConfig, { num_beams: 1, forced_eos_token_id: null, no_repeat_ngram_size: 0 });
  const maxNewTokens = expected.shape[1] - 1;
  const { sequences } = await model.generate(check.tensors.get("pixel_values")!, { maxNewTokens });
  assertEquals(sequences, expected.toList());
}

/**
 * Check every model of fixtures/models on a backend.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param tolerance The largest error allowed, relative to the largest value of each result.
 * @param models Which of them. @default all
 */
export function familyConformance(
  name: string,
  load: () => Promise<Backend>,
  tolerance: number,
  models: readonly string[] = modelNames,
): void {
  for (const modelName of models) {
    Deno.test(`${name} computes ${modelName} as Transformers`, async (t) => {
      const repository = new URL(`${modelName}/`, folder);
      const tensors = await readTensors(new URL("golden.safetensors", repository));
      const golden: Golden = JSON.parse(await Deno.readTextFile(new URL("golden.json", repository)));
      const check = new GoldenCheck(tensors, golden, tolerance);
      await using backend = await load();
      {
        await using model = await VisionEncoderDecoderModel.fromPretrained(repository, { backend });
        await t.step("states, logits and attentions", () => checkForward(model, check));
        await t.step("masks, labels and loss", () => checkMaskAndLabels(model, check));
        if (tensors.has("interp.pixel_values")) {
          await t.step("stretched positions", () => checkInterpolation(model, check));
        }
        await t.step("greedy texts", () => checkGreedy(model, check));
        await t.step("parameters", () => {
          const shapes = [...model.namedParameters()].map(([name, { shape }]) => [name, [...shape]] as const);
          assertEquals(Object.fromEntries(shapes), golden.parameters);
          assertEquals(model.newlyInitialized, []);
        });
      }
      assertEquals(backend.counters.liveHandles, 0);
    });
  }
}
