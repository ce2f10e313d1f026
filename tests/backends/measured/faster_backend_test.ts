import { assert, assertEquals, assertMatch } from "@std/assert";
import { describeSpeed, examples, faster, needsNoGpu, whyNotGpu } from "../../../backends/measured/faster_backend.ts";
import { estimate, isRates, type Rates } from "../../../backends/measured/rates.ts";
import { architectureOf, defaultConfig, VisionEncoderDecoderConfig } from "../../../src/models/mod.ts";
import { workOf } from "../../../src/models/model_work.ts";

/** Speeds as they were measured on a processor of two cores, and on an H200 through WebGPU. */
const processor: Rates = {
  bytesPerSecond: 20e9,
  operationsPerSecond: 1e11,
  secondsPerProduct: 3e-6,
  secondsPerRead: 5e-5,
  stepsPerRead: 1,
};
const gpu: Rates = {
  bytesPerSecond: 1.8e12,
  operationsPerSecond: 6e12,
  secondsPerProduct: 4e-6,
  secondsPerRead: 0.0114,
  stepsPerRead: 8,
};

function work(encoder: object, decoder: object) {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit", { ...encoder }),
    defaultConfig("gpt2", { ...decoder }),
  );
  return workOf(architectureOf(config));
}

const large = work({}, {});
const small = work(
  {
    hidden_size: 192,
    num_hidden_layers: 4,
    num_attention_heads: 3,
    intermediate_size: 768,
    image_size: [32, 512],
    patch_size: [32, 8],
  },
  { n_embd: 192, n_layer: 2, n_head: 3, vocab_size: 300 },
);

const [ffi, webgpu] = [{ name: "ffi", device: "CPU, 2 threads" }, { name: "webgpu", device: "NVIDIA H200" }] as const;

Deno.test("a model's work is what its programs compute and read", () => {
  // ViT-base: 12 layers of 4 · 768² and 2 · 768 · 3072 weights on 197 states, 4 · 197² · 768 for attention, 196 patches; then
  // the decoder's keys and values of the states.
  const layer = 2 * 197 * (4 * 768 ** 2 + 2 * 768 * 3072) + 4 * 197 ** 2 * 768;
  const cross = 12 * 2 * 197 * 2 * 768 ** 2;
  assertEquals(large.pictureOperations, 12 * layer + 2 * 196 * 768 ** 2 + cross);
  // GPT-2 with cross-attention: q, k, v, o and the feed-forward layer, q and o of cross-attention, their biases, the head.
  const { tokenBytes, tokenProducts } = large;
  assertEquals(tokenBytes, 4 * (12 * ((4 + 8 + 2) * 768 ** 2 + (4 + 5 + 2) * 768) + 50257 * 768));
  assertEquals(tokenProducts, 12 * (2 + 2 + 2 + 2) + 1);
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("swin"), defaultConfig("bert"));
  const [swin, few] = [undefined, "q8" as const].map((storage) => workOf(architectureOf(config), storage));
  assertEquals(few.tokenBytes, swin.tokenBytes * 1.0625 / 4);
  // Swin-tiny on 224 × 224: 4.5 GMAC by its paper.
  assert(swin.pictureOperations > 8.5e9 && swin.pictureOperations < 10.5e9, `${swin.pictureOperations}`);
});

Deno.test("a small model stays on the processor, and a large one goes to a GPU that is faster", () => {
  assert(needsNoGpu(small, processor));
  assert(!needsNoGpu(large, processor));
  const measured = [{ ...ffi, rates: processor }, { ...webgpu, rates: gpu }] as const;
  assertEquals(faster(small, ...measured).name, "ffi");
  const { name, reason } = faster(large, ...measured);
  assertEquals(name, "webgpu");
  assertMatch(reason, /16 tokens takes about \d+ ms there, and about \d+ ms on ffi \(CPU, 2 threads\)$/);
  // A processor of many cores beats a small GPU.
  const server = { ...processor, bytesPerSecond: 3e11, operationsPerSecond: 3e12 };
  const laptop = { ...gpu, bytesPerSecond: 5e10, operationsPerSecond: 5e11, secondsPerProduct: 2e-5 };
  assertEquals(faster(large, { ...ffi, rates: server }, { ...webgpu, rates: laptop }).name, "ffi");
  assertEquals(faster(large, { ...ffi, rates: gpu }, { ...webgpu, rates: gpu }).name, "ffi");
});

Deno.test("an estimate is the time of a picture, of each token, and of each wait", () => {
  const work = { pictureOperations: 1e9, pictureProducts: 10, tokenBytes: 1e6, tokenProducts: 5 };
  const rates = { bytesPerSecond: 1e9, operationsPerSecond: 1e10, secondsPerProduct: 1e-3, secondsPerRead: 0.01 };
  assertEquals(Math.round(estimate(work, { ...rates, stepsPerRead: 8 })), 100 + 10 + 16 * (1 + 5) + 2 * 10);
  assertEquals(Math.round(estimate(work, { ...rates, stepsPerRead: 1 })), 100 + 10 + 16 * (1 + 5) + 16 * 10);
});

Deno.test("a device's speed is described by what a small and a large model take", () => {
  const embedded = new VisionEncoderDecoderConfig(
    JSON.parse(Deno.readTextFileSync(new URL("../../../assets/model/config.json", import.meta.url))),
  );
  assertEquals(examples.map(({ work }) => work), [workOf(architectureOf(embedded)), large]);
  assertMatch(
    describeSpeed(processor),
    /^a picture with a text of 16 tokens takes about [\d.]+ ms for the embedded model, about \d+ ms for ViT-base with GPT-2$/,
  );
});

Deno.test("only speeds are taken for speeds", () => {
  assert(isRates(gpu));
  for (const other of [undefined, null, 3, {}, { ...gpu, bytesPerSecond: 0 }, { ...gpu, secondsPerRead: "1" }]) {
    assert(!isRates(other), JSON.stringify(other));
  }
});

Deno.test("a GPU that is not there, or is one in software, is not measured", () => {
  const report = { name: "webgpu", available: true, device: "llvmpipe", reason: "" } as const;
  assertEquals(whyNotGpu(report), undefined);
  assertEquals(whyNotGpu({ ...report, software: true }), "the GPU is one in software (llvmpipe)");
  assertEquals(whyNotGpu({ ...report, available: false, reason: "none" }), "there is no GPU: none");
});
