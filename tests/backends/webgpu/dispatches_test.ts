import { assert, assertEquals } from "@std/assert";
import { loadWithProfile, type ProfileName } from "../../../backends/webgpu/mod.ts";
import { defaultConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../../mod.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";

const vit = {
  image_size: 32,
  patch_size: 16,
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 64,
};
const special = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 1 };

/** A decoder of GPT-2's depth, with cross-attention. */
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", vit),
  defaultConfig("gpt2", { ...special, vocab_size: 48, n_embd: 32, n_layer: 12, n_head: 2, n_positions: 64 }),
  { ...special, decoder_start_token_id: 0 },
);

// Attention appends to the cache; on a GPU the products normalise their rows too: 8 a layer. On a processor up to four kernels as
// small as these are one.
const dispatches: Partial<Record<ProfileName, number>> = {
  soft: Math.ceil((12 * 11 + 5) / 4) + 1,
  gpu: 102,
  "gpu-sg": 102,
};

for (const [profile, count] of Object.entries(dispatches) as [ProfileName, number][]) {
  Deno.test(`a token of a decoder of 12 layers takes ${count} dispatches of webgpu's ${profile} kernels`, async () => {
    await using backend = await loadWithProfile(profile);
    await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, seed: 3 });
    const dispatchesOf = async (maxNewTokens: number) => {
      const before = backend.counters.dispatches;
      await model.generate(numbers(1, 1, 3, 32, 32), { maxNewTokens, eosTokenId: null });
      return backend.counters.dispatches - before;
    };
    const [short, long] = [await dispatchesOf(4), await dispatchesOf(6)];
    assertEquals(long - short, 2 * count);
    assert(backend.counters.waits >= 2);
  });
}
