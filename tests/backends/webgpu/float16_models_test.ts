// Whole models of float16 on webgpu's kernels for GPUs: tokens as in float32, in about half of the bytes; nothing more leaves the
// device. PyTorch in float16 is as far from float32 on these models (its logits of clip_bert by 3e-2 of the largest).
import { assert, assertEquals } from "@std/assert";
import { Captioner, defaultConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../../mod.ts";
import type { Backend } from "../../../src/graph/mod.ts";
import { ModelSlots } from "../../../src/model/model_slots.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { familyConformance } from "../../conformance/families.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { effort } from "../../effort.ts";
import { loadInFloat16 } from "./float16_backend.ts";

const special = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 1 };
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", {
    image_size: 32,
    patch_size: 4,
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 256,
  }),
  defaultConfig("gpt2", { ...special, vocab_size: 48, n_embd: 64, n_layer: 4, n_head: 2, n_positions: 128 }),
  { ...special, decoder_start_token_id: 0 },
);
const pictures = numbers(1, 3, 3, 32, 32);
const decoderInputIds = [Array.from({ length: 24 }, (_, i) => (5 * i) % 48)];

/** What a model makes of pictures: greedily, with beams and after a prompt; and what that took. */
async function runs(backend: Backend) {
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, seed: 3 });
  const { logits } = await model.forward({ pixelValues: numbers(1, 1, 3, 32, 32), decoderInputIds });
  const counted = async (options: object) => {
    const before = { ...backend.counters };
    const { sequences } = await model.generate(pictures, { maxNewTokens: 20, eosTokenId: null, ...options });
    const [bytesRead, dispatches, waits] = (["bytesRead", "dispatches", "waits"] as const)
      .map((name) => backend.counters[name] - before[name]);
    const { deviceBytes, weightBytes } = backend.counters;
    return { sequences, counts: { bytesRead, dispatches, waits }, bytes: deviceBytes - weightBytes };
  };
  const prompt = Array.from({ length: 3 }, (_, i) => [0, 7 + i, 9, 11]);
  return {
    logits,
    greedy: await counted({}),
    beams: await counted({ numBeams: 4, maxNewTokens: 40 }),
    prompt: await counted({ decoderInputIds: prompt }),
  };
}

for (const profile of ["gpu", "gpu-sg"] as const) {
  Deno.test(`models of float16 take half of the bytes on webgpu's ${profile} kernels, and say the same`, async () => {
    await using backend = await loadInFloat16(profile);
    await using plain = await loadInFloat16(profile, ["shader-f16"]);
    const [found, whole] = [await runs(backend), await runs(plain)];
    assertClose(found.logits, whole.logits, 2e-3, "the logits");
    for (const kind of ["greedy", "beams", "prompt"] as const) {
      assertEquals(found[kind].sequences, whole[kind].sequences, kind);
      assertEquals(found[kind].counts, whole[kind].counts, kind);
      const part = found[kind].bytes / whole[kind].bytes;
      assert(part < 0.62, `${kind}: caches and temporaries take ${part} of the bytes`);
    }
    assertEquals([backend.counters.liveHandles, plain.counters.liveHandles], [0, 0]);
  });
}

Deno.test("the embedded model in float16 reads the example pictures, alone and in slots", async () => {
  await using backend = await loadInFloat16("gpu");
  await using captioner = await Captioner.load(undefined, { backend });
  const names = ["address", "date", "line", "shout"].map((name) => `assets/examples/${name}.png`);
  const texts = await captioner.caption(names);
  await using float32 = await Captioner.load(undefined, { backend: "ffi" });
  assertEquals(texts, await float32.caption(names));
  const { model } = captioner;
  const sizes = model.config.encoder.image_size as number | number[];
  const [height, width] = [sizes].flat().length === 2 ? sizes as number[] : [sizes, sizes] as number[];
  const channels = model.config.encoder.num_channels as number;
  using slots = await ModelSlots.open(model, { slots: 3, maxLength: 20, encodeParts: 2 });
  const rows = [1, 2, 3].map((seed) => numbers(seed, 1, channels, height, width));
  const admitted = rows.map((x) => slots.admit(slots.encode(x), { maxNewTokens: 9, eosTokenId: null }));
  while (slots.texts.length > 0) await slots.step();
  for (const [i, x] of rows.entries()) {
    const { sequences } = await model.generate(x, { maxNewTokens: 9, eosTokenId: null });
    assertEquals(admitted[i].output.sequences, sequences);
  }
});

readsLines("webgpu's gpu kernels in float16", () => loadInFloat16("gpu"), effort(8, 120));

// One of each kind: windows, biases, padding, gates, norms after and before, and relative positions.
const families = ["swin_bert_patch_pad", "beit_bert_plain", "dinov2_gpt2_gated", "vit_bart", "vit_trocr_base"];
const all = effort(0, 1) === 1;
familyConformance("webgpu's gpu kernels in float16", () => loadInFloat16("gpu"), 3e-2, all ? undefined : families);
