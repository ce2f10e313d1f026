import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  FormatError,
  type LoadOptions,
  OptionError,
  readCheckpoint,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { layOutCodes } from "../../src/weights/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { withFolderOf } from "../folder_of_files.ts";
import { exactFfi, inputs, quantizedModel } from "./quantized_models.ts";

const load = (folder: string, options: LoadOptions) => VisionEncoderDecoderModel.fromPretrained(folder, options);
const logitsOf = async (model: VisionEncoderDecoderModel) => (await model.forward(inputs)).logits;

/** What differs is how products of float32 are summed, where weights are in a file and where in memory. */
const rounding = 1e-5;

for (const name of ["gpt2", "trocr"] as const) {
  for (const dtype of ["q8", "q4"] as const) {
    Deno.test(`a ${name} model of ${dtype} is saved as it is held, and computes the same when it is loaded`, () =>
      withFolderOf({}, {}, async (folder) => {
        await using backend = await exactFfi();
        await using model = await quantizedModel(name, { backend, dtype });
        await model.savePretrained(folder);
        const file = `${folder}/model.safetensors`;
        const bytes = await Deno.readFile(file);
        const expected = await logitsOf(model);
        {
          await using saved = await load(folder, { backend });
          assertClose(await logitsOf(saved), expected, rounding, "loaded");
          // Saved again, over its own files: nothing is rounded twice.
          await saved.savePretrained(folder);
          assertEquals(await Deno.readFile(file), bytes);
          assertClose(await logitsOf(saved), expected, rounding, "loaded from the same folder");
          await using named = await load(folder, { backend, dtype });
          assertEquals(named.namedParameters(), model.namedParameters());
        }
        await using decoded = await load(folder, { backend, dtype: "float32" });
        await decoded.savePretrained(`${folder}/decoded`);
        const parameters = await readCheckpoint(`${folder}/decoded`);
        assertEquals([...parameters.values()].every((tensor) => tensor.dataType === "float32"), true);
        for (const [name, { data }] of parameters) assertEquals(data, (await model.parameter(name)).data, name);
        const config = JSON.parse(await Deno.readTextFile(`${folder}/decoded/config.json`));
        assertEquals(config.quantization_config, undefined);
      }));
  }
}

Deno.test("codes whose rows have one scale are saved in columns of signed numbers, and rows are read too", () =>
  withFolderOf({}, {}, async (folder) => {
    await using backend = await exactFfi();
    await using model = await quantizedModel("trocr", { backend, dtype: "q8" });
    await model.savePretrained(folder);
    const expected = await logitsOf(model);
    const tensors = await readCheckpoint(folder);
    const typeOf = (name: string) => [tensors.get(name)!.dataType, tensors.get(name)!.shape] as const;
    assertEquals(typeOf("encoder.encoder.layer.0.intermediate.dense.weight"), ["int8", [1, 32, 64]]);
    assertEquals(typeOf("decoder.model.decoder.layers.0.encoder_attn.v_proj.weight"), ["int8", [1, 32, 48]]);
    assertEquals(typeOf("decoder.model.decoder.layers.0.fc1.weight"), ["uint8", [64, 3, 16]]);
    const inRows = (name: string, tensor: Tensor) => {
      if (tensor.dataType !== "int8") return tensor;
      const [rows, blocks] = tensors.get(`${name}_scale`)!.shape;
      const columns = tensor.size / rows;
      const codes = new Uint8Array(tensor.size);
      layOutCodes(tensor.data, { rows, columns }, { from: "signedColumns", to: "rows" }, codes);
      return new Tensor("uint8", [rows, blocks, columns / blocks], codes);
    };
    const file = `${folder}/model.safetensors`;
    await writeSafetensors(file, new Map([...tensors].map(([name, tensor]) => [name, inRows(name, tensor)])));
    await using before = await load(folder, { backend });
    assertClose(await logitsOf(before), expected, rounding, "in rows");
    // What a file has stays as it is.
    await before.savePretrained(folder);
    const again = await readCheckpoint(folder);
    assertEquals([...again.values()].some(({ dataType }) => dataType === "int8"), false);
  }));

Deno.test("a saved q8 model takes new values, which are saved as they are", () =>
  withFolderOf({}, {}, async (folder) => {
    await using model = await quantizedModel("gpt2", { backend: "reference", dtype: "q8" });
    await model.savePretrained(folder);
    await using saved = await load(folder, { backend: "reference" });
    const name = "decoder.transformer.h.1.attn.c_proj.weight";
    const value = new Tensor("float32", [32, 32], new Float32Array(32 * 32).fill(0.123));
    await saved.setParameter(name, value);
    await saved.savePretrained(folder);
    await using again = await load(folder, { backend: "reference" });
    assertEquals((await again.parameter(name)).data, value.data);
    assertClose(await logitsOf(again), await logitsOf(saved), 0, "loaded again");
  }));

Deno.test("a saved q8 model is refused in other bits, and where there are no kernels for it", () =>
  withFolderOf({}, {}, async (folder) => {
    await using model = await quantizedModel("gpt2", { backend: "reference", dtype: "q8" });
    await model.savePretrained(folder);
    await assertRejects(() => load(folder, { backend: "ffi", dtype: "q4" }), OptionError, "saved as q8");
    const error = await assertRejects(() => load(folder, { backend: "wasm" }), BackendError);
    assert(error.message.includes('dtype "float32"'), error.message);
    await using decoded = await load(folder, { backend: "wasm", dtype: "float32" });
    assertClose(await logitsOf(decoded), await logitsOf(model), 1e-4, "decoded");
  }));

Deno.test("codes, scales and their description that do not fit are refused by name", () =>
  withFolderOf({}, {}, async (folder) => {
    await using model = await quantizedModel("gpt2", { backend: "reference", dtype: "q8" });
    await model.savePretrained(folder);
    const configFile = `${folder}/config.json`;
    const config = JSON.parse(await Deno.readTextFile(configFile));
    const name = "decoder.transformer.wte.weight";
    const refuse = async (message: string) =>
      void await assertRejects(() => load(folder, { backend: "reference" }), FormatError, message);
    const described = async (change: Record<string, unknown>, message: string) => {
      const { weights } = config.quantization_config;
      const wrong = { ...weights, [name]: { ...weights[name], ...change } };
      const quantization_config = { ...config.quantization_config, weights: wrong };
      await Deno.writeTextFile(configFile, JSON.stringify({ ...config, quantization_config }));
      await refuse(message);
      await Deno.writeTextFile(configFile, JSON.stringify(config));
    };
    const key = `quantization_config.weights.${name}`;
    await described({ bits: 3 }, `${key}.bits is 3, expected 4 or 8`);
    await described(
      { bits: 4 },
      `"${name}" of ${folder}: it is uint8 [48, 1, 32], but quantization_config makes`,
    );
    await described({ axis: -1 }, `${key}.axis is -1`);
    await described(
      { block_size: 24 },
      `${key}.block_size is 24, expected a power of 2 from 16 to 256 that divides 32`,
    );
    await described({ block_size: 16 }, "makes it uint8 [48, 2, 16]");
    await described({ shape: [48, 1e9] }, "uint8 [48, 31250000, 32]");
    await described({ shape: [48] }, `${key}.shape is [48], expected two lengths`);
    await described({ shape: [96, 32] }, "uint8 [96, 1, 32]");

    const tensors = await readCheckpoint(folder);
    const file = `${folder}/model.safetensors`;
    await writeSafetensors(file, new Map([...tensors].filter(([other]) => other !== `${name}_scale`)));
    await refuse(`"${name}_scale" of ${folder}: it is missing`);
    const scales = tensors.get(`${name}_scale`)!;
    const wrong = new Tensor("int32", scales.shape, new Int32Array(scales.size));
    await writeSafetensors(file, new Map([...tensors, [`${name}_scale`, wrong]]));
    await refuse("it is int32 [48, 1]");
  }));
