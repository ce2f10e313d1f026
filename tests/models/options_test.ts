// Every encoder with every decoder, of random sizes and options, against Transformers: tests/scripts/make_option_models.py
// makes the cases. Parameters and pictures are made of their names on both sides, so that only results are stored. The
// short form takes every third case.
import { assertEquals } from "@std/assert";
import {
  type Backend,
  defaultConfig,
  loadBackend,
  type PretrainedConfig,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { architectureOf } from "../../src/models/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { isLong } from "../effort.ts";
import { testedBackends } from "../backends/tested_backends.ts";

interface Case {
  readonly encoder: PretrainedConfig;
  readonly decoder: PretrainedConfig;
  readonly overrides: { readonly pad_token_id: number };
  /** How far float32 moves a result from float64, relative to its largest value. */
  readonly rounding: number;
  readonly greedy: number[][];
  /** The number of parameters in Python's file. */
  readonly parameters: number;
}

const folder = new URL("../fixtures/options/", import.meta.url);
const all: Case[] = JSON.parse(await Deno.readTextFile(new URL("cases.json", folder)));
const placeOf = (part: "encoder" | "decoder", { [part]: { model_type: type } }: Case) =>
  [...new Set(all.map((one) => one[part].model_type))].indexOf(type);
const cases = all.filter((one) => isLong || (placeOf("encoder", one) + placeOf("decoder", one)) % 3 === 0);
const golden = await readTensors(new URL("golden.safetensors", folder));
const tokens = 5;

/** Numbers in [-1, 1) of a name: FNV-1a of it, and MurmurHash3's finaliser of each index. */
function uniform(name: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/** A parameter's values, by its name and shape. */
function valueOf(name: string, shape: readonly number[]): Tensor {
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  const scale = shape.length === 1
    ? (x: number) => /(norm\d?|ln_\w+)\.weight$|lambda_?\d/i.test(name) ? 1 + 0.3 * x : 0.3 * x
    : /embed|wte|wpe|token|bias_table/.test(name)
    ? (x: number) => 0.8 * x
    : (x: number) => 2.2 * x / Math.sqrt(width);
  return new Tensor("float32", shape, Float32Array.from(uniform(name, shape[0] * width), scale));
}

function picture(name: string, shape: readonly number[]): Tensor {
  const values = Float32Array.from(uniform(name, shape.reduce((a, b) => a * b)));
  return new Tensor("float32", shape, values.map((x) => 1.5 * x));
}

/** Pictures, ids, mask and labels of a case. */
function inputsOf(config: VisionEncoderDecoderConfig, pad: number) {
  const { imageSize: [height, width], channels } = architectureOf(config).encoder;
  const [down, across] = [config.encoder.patch_size, config.encoder.patch_size].flat().slice(0, 2) as number[];
  const drawn = uniform("ids", 2 * tokens).map((x) => Math.trunc((x + 1) / 2 * Number(config.decoder.vocab_size)));
  const decoderInputIds = [Array.from(drawn.slice(0, tokens)), Array.from(drawn.slice(tokens))];
  const last = decoderInputIds[1].toReversed();
  decoderInputIds[0][1] = decoderInputIds[1][tokens - 1] = pad;
  return {
    pixelValues: picture("pixels", [2, channels, height, width]),
    large: picture("large_pixels", [2, channels, height + down, width + 2 * across]),
    decoderInputIds,
    decoderAttentionMask: [[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]],
    labels: [Array(tokens).fill(-100), [pad, ...last.slice(1)]],
  };
}

function row(tensor: Tensor, n: number): Tensor {
  const width = tensor.size / tensor.shape[0];
  return new Tensor("float32", [1, ...tensor.shape.slice(1)], tensor.data.slice(n * width, (n + 1) * width));
}

async function check({ encoder, decoder, overrides, ...expected }: Case, backend: Backend, tolerance: number) {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig(encoder.model_type, encoder),
    defaultConfig(decoder.model_type, decoder),
    overrides,
  );
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend });
  const parameters = model.namedParameters();
  assertEquals(parameters.size, expected.parameters);
  for (const [name, { shape }] of parameters) await model.setParameter(name, valueOf(name, shape));
  const close = (actual: Tensor, name: string) => {
    const result = golden.get(`${encoder.model_type}_${decoder.model_type}.${name}`)!;
    assertClose(actual, result, Math.max(tolerance, 1.5 * expected.rounding), name);
  };
  const { large, labels, decoderAttentionMask, ...inputs } = inputsOf(config, overrides.pad_token_id);
  const plain = await model.forward({ ...inputs, outputAttentions: true });
  close(row(plain.encoderLastHiddenState, 0), "states");
  close(plain.logits, "logits");
  close(row(plain.decoderAttentions![0], 0), "self_attention");
  close(row(plain.crossAttentions!.at(-1)!, 0), "cross_attention");
  close(row((await model.forward({ ...inputs, decoderAttentionMask })).logits, 1), "masked_logits");
  const { loss } = await model.forward({ pixelValues: inputs.pixelValues, labels });
  close(new Tensor("float32", [1], Float32Array.of(loss!)), "loss");
  const { logits } = await model.forward({ ...inputs, pixelValues: large, interpolatePosEncoding: true });
  // Elsewhere the reference stumbles over positions of a grid that is not square.
  if (golden.has(`${encoder.model_type}_${decoder.model_type}.large_logits`)) close(row(logits, 0), "large_logits");
  const maxNewTokens = 6;
  const { sequences } = await model.generate(inputs.pixelValues, { maxNewTokens, forcedEosTokenId: null });
  assertEquals(sequences, expected.greedy);
}

for (const name of testedBackends) {
  Deno.test(`${name} computes ${cases.length} models of random options as Transformers`, async (t) => {
    await using backend = await loadBackend(name);
    for (const one of cases) {
      const pair = `${one.encoder.model_type} with ${one.decoder.model_type}`;
      await t.step(pair, () => check(one, backend, name === "webgpu" ? 2e-4 : 1e-4));
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}
