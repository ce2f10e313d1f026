// Writes LoRA adapters beside small models of every family that Transformers can run, with what Limner computes with them, for
// check_peft.py.
//   deno run -A tests/scripts/write_adapters.ts FOLDER
import { type LoraOptions, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { partsOf } from "../../src/model/vision_encoder_decoder_model.ts";
import { fill } from "../../src/models/parameters/initial_values.ts";
import {
  decoderConfigs,
  encoderConfigs,
  familyConfig,
  familyInputs,
  familyParameters,
} from "../models/family_models.ts";

const [folder] = Deno.args;

async function write(encoder: string, decoder: string, options: LoraOptions): Promise<void> {
  const config = familyConfig(encoder, decoder, 7);
  const name = `${encoder}_${decoder}`;
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  for (const [name, value] of familyParameters(config)) await model.setParameter(name, value);
  await model.savePretrained(`${folder}/${name}/model`);
  await partsOf(model).core.attachAdapter(options);
  const { source } = partsOf(model).parameters;
  for (const [name, { shape }] of source) {
    if (name.endsWith("lora_B.weight")) {
      await model.setParameter(name, fill({ kind: "normal", deviation: 0.3 }, name, shape, 1));
    }
  }
  await model.saveAdapter(`${folder}/${name}/adapter`);
  const { pixelValues, decoderInputIds } = familyInputs(config);
  const { logits } = await model.forward({ pixelValues, decoderInputIds });
  const ids = new Tensor("int64", [2, decoderInputIds[0].length], BigInt64Array.from(decoderInputIds.flat(), BigInt));
  await writeSafetensors(
    `${folder}/${name}/values.safetensors`,
    new Map([["pixel_values", pixelValues], ["decoder_input_ids", ids], ["logits", logits]]),
  );
}

const decoders = Object.keys(decoderConfigs(7)).filter((decoder) => decoder !== "distilbert");
for (const encoder of Object.keys(encoderConfigs)) {
  // DINOv2's gated layers are in parts in Python.
  const targets = encoder === "dinov2" ? ["q_proj", "o_proj", "c_attn"] : "all-linear";
  await write(encoder, "gpt2", { rank: 3, alpha: 5, dropout: 0.1, targets });
}
for (const decoder of decoders) {
  if (decoder !== "gpt2") await write("vit", decoder, { rank: 2, alpha: 3, targets: "all-linear" });
}
// Names that only some of a kind have, a head, and another scaling.
await write("swin", "roberta", { rank: 4, alpha: 4, rankStabilized: true, targets: /query|decoder\.lm_head\.decoder/ });
