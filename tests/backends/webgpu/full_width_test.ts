// The kernels for GPUs at the widths of ViT-base and GPT-2, one layer of each: a head of 50,257 tokens that is bound in two parts,
// pictures of 197 states. ffi, whose logits are held to PyTorch's, says what is right; `bench/peers/mod.ts devices` holds the whole
// models to PyTorch.
import { assert } from "@std/assert";
import { defaultConfig, type Tensor, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../../mod.ts";
import { loadWithProfile } from "../../../backends/webgpu/mod.ts";
import type { LoadOptions } from "../../../src/model/load_options.ts";
import { relativeError } from "../../conformance/closeness.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";

const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", { num_hidden_layers: 1 }),
  defaultConfig("gpt2", { n_layer: 1 }),
  { decoder_start_token_id: 2, pad_token_id: 1, eos_token_id: 2 },
);
const inputs = { pixelValues: numbers(1, 1, 3, 224, 224), decoderInputIds: [[2, 50256, 17, 30000, 5]] };

async function logitsOf(options: LoadOptions): Promise<Tensor> {
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { ...options, seed: 1 });
  return (await model.forward(inputs)).logits;
}

Deno.test("webgpu's kernels for GPUs are right at the widths of full-size models", async (t) => {
  const expected = await logitsOf({ backend: "ffi" });
  for (const profile of ["gpu", "gpu-sg"] as const) {
    for (const [dtype, most] of [["float32", 1e-3], ["float16", 2e-2]] as const) {
      await t.step(`${profile}, ${dtype}`, async () => {
        await using backend = await loadWithProfile(profile);
        const off = relativeError(await logitsOf({ backend, dtype }), expected);
        assert(off < most, `logits are off by ${off} of the largest`);
        assert(dtype === "float32" || off > 1e-6, "weights are not in half precision");
      });
    }
  }
});
