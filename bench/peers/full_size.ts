// The models that benches measure at full size, of random parameters: a ViT-B/16 with GPT-2 small, and a TrOCR-base.
import { defaultConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel } from "../../mod.ts";

const special = { decoder_start_token_id: 2, pad_token_id: 1, eos_token_id: 2 };

/** Their configurations by name. */
export const configs: Readonly<Record<string, () => VisionEncoderDecoderConfig>> = {
  vit_gpt2: () =>
    VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("vit"), defaultConfig("gpt2"), special),
  trocr: () =>
    VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
      defaultConfig("vit", { image_size: 384, qkv_bias: false }),
      defaultConfig("trocr", { cross_attention_hidden_size: 768 }),
      special,
    ),
};

/** How a model is kept. */
export const forms = ["float32", "q8", "q4"] as const;

/** Whether a file is there. */
export async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Write a model in every form, or in some, to folders NAME_FORM, where it is not there yet. */
export async function writeModels(
  name: string,
  folder: string,
  some: readonly (typeof forms)[number][] = forms,
): Promise<void> {
  for (const form of some) {
    const path = `${folder}/${name}_${form}`;
    if (await isThere(`${path}/config.json`)) continue;
    await using model = form === "float32"
      ? await VisionEncoderDecoderModel.fromConfig(configs[name](), { backend: "reference", seed: 1 })
      : await VisionEncoderDecoderModel.fromPretrained(`${folder}/${name}_float32`, { backend: "ffi", dtype: form });
    await model.savePretrained(path);
  }
}
