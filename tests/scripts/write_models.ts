// Writes small models of every family that Transformers can run as decoders, with what Limner computes with them, for
// check_python.py.
//   deno run -A tests/scripts/write_models.ts FOLDER
import { Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import {
  decoderConfigs,
  encoderConfigs,
  familyConfig,
  familyInputs,
  familyParameters,
} from "../models/family_models.ts";
import { quantizedModel } from "../model/quantized_models.ts";

const [folder] = Deno.args;

async function write(encoder: string, decoder: string, headWidth: number): Promise<void> {
  const config = familyConfig(encoder, decoder, headWidth);
  const name = `${encoder}_${decoder}_${headWidth}`;
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  for (const [name, value] of familyParameters(config)) await model.setParameter(name, value);
  await model.savePretrained(`${folder}/${name}`, { maxShardSize: headWidth === 64 ? "100KB" : "1GB" });
  const { pixelValues, decoderInputIds } = familyInputs(config);
  const { logits, encoderLastHiddenState } = await model.forward({ pixelValues, decoderInputIds });
  const labels = decoderInputIds.map((row) => [...row.slice(1, -1), -100, row[2]]);
  const { loss } = await model.forward({ pixelValues, labels });
  const integers = (rows: number[][]) =>
    new Tensor("int64", [rows.length, rows[0].length], BigInt64Array.from(rows.flat(), BigInt));
  await writeSafetensors(
    `${folder}/${name}.safetensors`,
    new Map([
      ["pixel_values", pixelValues],
      ["decoder_input_ids", integers(decoderInputIds)],
      ["labels", integers(labels)],
      ["encoder_last_hidden_state", encoderLastHiddenState],
      ["logits", logits],
      ["loss", new Tensor("float32", [1], Float32Array.of(loss!))],
    ]),
  );
}

const decoders = Object.keys(decoderConfigs(7)).filter((decoder) => decoder !== "distilbert");
for (const encoder of Object.keys(encoderConfigs)) await write(encoder, decoders[0], 7);
for (const decoder of decoders) {
  await write("vit", decoder, 64);
  await write("swin", decoder, 7);
}

await using quantized = await quantizedModel("trocr", { backend: "reference", dtype: "q8" });
await quantized.savePretrained(`${folder}/quantized`);
