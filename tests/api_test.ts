// The public interface as users and outside checks call it: the names, their arguments and what they return. A name that
// changes fails to type-check here before anything runs.
import { assert, assertEquals } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  availableBackends,
  type Backend,
  type BackendName,
  Captioner,
  ConfigError,
  type DataType,
  defaultConfig,
  DeviceLostError,
  FormatError,
  type GenerateOptions,
  type GenerateOutput,
  HubError,
  type ImageProcessor,
  LimnerError,
  loadBackend,
  OrtError,
  RawImage,
  readCheckpoint,
  readImage,
  ShapeError,
  type Streamer,
  Tensor,
  token2json,
  type Tokenizer,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
  WebGpuError,
} from "../mod.ts";

const folder = new URL("./fixtures/models/vit_gpt2_scaled/", import.meta.url);
const embedded = new URL("../assets/model/", import.meta.url);
const backend = "reference";

/** Every option of `generate`; the compiler says which one is gone. */
const everyOption: { [K in keyof Required<GenerateOptions>]?: GenerateOptions[K] } = {
  ...{ maxNewTokens: 3, maxLength: null, minNewTokens: null, minLength: 0, numBeams: 1, numReturnSequences: 1 },
  ...{ doSample: false, temperature: null, topK: null, topP: null, minP: null, typicalP: null, epsilonCutoff: null },
  ...{ etaCutoff: null, repetitionPenalty: null, noRepeatNgramSize: null, lengthPenalty: null, earlyStopping: null },
  ...{ badWordsIds: null, suppressTokens: null, beginSuppressTokens: null, forcedBosTokenId: null, seed: null },
  ...{ forcedEosTokenId: null, eosTokenId: undefined, padTokenId: undefined, decoderStartTokenId: undefined },
  ...{ decoderInputIds: undefined, sequenceBias: null, exponentialDecayLengthPenalty: null, assistantModel: null },
  ...{ interpolatePosEncoding: false, useCache: true, firstPicture: 0, outputScores: true, outputAttentions: true },
  ...{ streamer: undefined, signal: undefined, stoppingCriteria: undefined, logitsProcessors: undefined },
};

Deno.test("the interface has a tensor", () => {
  const dataTypes: DataType[] = [
    ...["float64", "float32", "float16", "bfloat16"] as const,
    ...["int64", "int32", "int8", "uint8", "bool"] as const,
  ];
  assertEquals(dataTypes.length, 9);
  const tensor = new Tensor("int64", [2, 1], BigInt64Array.of(1n, 2n));
  assertEquals([tensor.dataType, tensor.shape, tensor.size, tensor.toList()], ["int64", [2, 1], 2, [[1], [2]]]);
});

Deno.test("the interface has backends", async () => {
  const names: BackendName[] = (await availableBackends()).map(({ name, available, device, reason }) => {
    assertEquals([typeof available, typeof device, typeof reason], ["boolean", "string", "string"]);
    return name;
  });
  assert(names.includes("reference"));
  await using loaded: Backend = await loadBackend("reference", {});
  assertEquals(loaded.name, "reference");
  assert(loaded.device.length > 0);
});

Deno.test("the interface has configurations", async () => {
  const [encoder, decoder] = [defaultConfig("vit", { num_hidden_layers: 1 }), defaultConfig("bert")];
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(encoder, decoder, { pad_token_id: 0 });
  assertEquals([config.toJSON().pad_token_id, config.encoder.num_hidden_layers], [0, 1]);
  assertEquals((await VisionEncoderDecoderConfig.fromPretrained(folder)).model_type, "vision-encoder-decoder");
});

Deno.test("the interface has a model", async () => {
  await using model: VisionEncoderDecoderModel = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const { image_size: size, num_channels: channels } = model.config.encoder as Record<string, number>;
  const pixelValues = new Tensor("float32", [1, channels, size, size], new Float32Array(channels * size * size));
  model.config.pad_token_id = 0;
  const output = await model.forward({
    pixelValues,
    labels: [[1, 2, -100]],
    outputAttentions: true,
    outputHiddenStates: true,
  });
  assertEquals(output.logits.shape.slice(0, 2), [1, 3]);
  assertEquals(typeof output.loss, "number");
  assert(output.encoderHiddenStates && output.decoderHiddenStates && output.decoderAttentions);
  const masked = await model.forward({
    encoderOutputs: output.encoderLastHiddenState,
    decoderInputIds: [[1, 2]],
    decoderAttentionMask: [[1, 1]],
  });
  assertEquals(masked.logits.shape.slice(0, 2), [1, 2]);
  const generated: GenerateOutput = await model.generate(pixelValues, everyOption);
  assertEquals([generated.sequences[0].length, generated.truncated.length], [4, 1]);
  assertEquals([generated.scores!.length, generated.crossAttentions!.length], [3, output.crossAttentions!.length]);
  const beams = await model.generate(pixelValues, { numBeams: 2, numReturnSequences: 2, maxNewTokens: 2 });
  assertEquals([beams.sequences.length, beams.sequencesScores!.length], [2, 2]);

  const [name, { dataType, shape }] = [...model.namedParameters()][0];
  const parameter: Tensor = await model.parameter(name);
  assertEquals([parameter.dataType, parameter.shape], [dataType, [...shape]]);
  await model.setParameter(name, parameter);
  assertEquals([...model.newlyInitialized], []);
  assertEquals(model.backend.name, backend);
  assert(model.generationConfig);
});

Deno.test("the interface has the two ends and the short way", async () => {
  const processor: ImageProcessor = await AutoImageProcessor.fromPretrained(embedded);
  const image = await readImage(new URL("../examples/line.png", embedded));
  assertEquals(processor([image, image]).pixelValues.shape[0], 2);
  assertEquals(new RawImage(new Uint8Array(6), 2, 1, 3).channels, 3);

  const tokenizer: Tokenizer = await AutoTokenizer.fromPretrained(embedded);
  const { inputIds, tokens, attentionMask } = tokenizer.encode("a cat", { addSpecialTokens: false });
  assertEquals([tokens.length, attentionMask.length], [inputIds.length, inputIds.length]);
  const batch = tokenizer.encodeBatch(["a", "a cat"], { padding: "max_length", maxLength: 7, truncation: true });
  assertEquals([batch.inputIds[0].length, batch.attentionMask[1].length], [7, 7]);
  assertEquals(tokenizer.decode(inputIds, { skipSpecialTokens: true, cleanUpTokenizationSpaces: false }), "a cat");
  assertEquals(tokenizer.batchDecode([inputIds]), ["a cat"]);
  assert(tokenizer.vocabularySize > 0);

  await using captioner = await Captioner.load(embedded, { backend });
  const text: string = await captioner.caption(image, { maxNewTokens: 3 });
  assertEquals(await captioner.caption([image], { maxNewTokens: 3 }), [text]);
  let streamed = "";
  const streamer: Streamer = { put: () => {}, end: () => {} };
  for await (const piece of captioner.stream(image, { maxNewTokens: 3, streamer })) streamed += piece;
  assertEquals(streamed, text);
  assertEquals(token2json("<s_a>1</s_a>"), { a: "1" });
});

Deno.test("the interface reads checkpoints, and its errors are LimnerErrors", async () => {
  const tensors: Map<string, Tensor> = await readCheckpoint(new URL("model.safetensors", folder));
  assert(tensors.size > 0);
  for (const error of [FormatError, ConfigError, ShapeError, HubError, OrtError, WebGpuError, DeviceLostError]) {
    assert(error.prototype instanceof LimnerError);
  }
});
