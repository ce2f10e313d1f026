// What is said of repositories that are not as a model is expected: one line, with what was found and what to do.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AutoTokenizer,
  LimnerError,
  readCheckpoint,
  readImage,
  type Tensor,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import { writeSafetensors } from "../src/checkpoint/mod.ts";
import { withFolderOf } from "./folder_of_files.ts";

const plain = new URL("fixtures/field/foreign_names/plain/", import.meta.url);
const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n";
const adapter = JSON.stringify({ base_model_name_or_path: "base/model", peft_type: "LORA" });

/** A folder with config.json and files, and what is done with it. */
const withFiles = (files: Readonly<Record<string, string | Uint8Array>>, use: (folder: string) => Promise<unknown>) =>
  withFolderOf({ "config.json": new URL("config.json", plain) }, files, use);

const load = (folder: string) => VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });

async function messageOf(run: () => Promise<unknown>): Promise<string> {
  const { message } = await assertRejects(run, LimnerError);
  assert(!message.includes("\n") && message.length < 600, message);
  return message;
}

const found: readonly [files: Readonly<Record<string, string>>, parts: readonly string[]][] = [
  [{ "adapter_config.json": adapter, "adapter_model.safetensors": "" }, [
    "a LoRA adapter of base/model",
    "loadAdapter()",
  ]],
  [{ "onnx/decoder.onnx": "" }, ["only ONNX files (onnx/)", "PyTorch checkpoint"]],
  [{ "encoder.onnx": "" }, ["only ONNX files (encoder.onnx)"]],
  [{ "tf_model.h5": "" }, ["only TensorFlow's tf_model.h5", "from_tf=True"]],
  [{ "flax_model.msgpack": "" }, ["only Flax's flax_model.msgpack", "from_flax=True"]],
  [
    { "model-00001-of-00002.safetensors": "", "model-00002-of-00002.safetensors": "" },
    ["model-00001-of-00002.safetensors and 1 more are shards", "model.safetensors.index.json"],
  ],
  [{ "pytorch_model-00001-of-00001.bin": "" }, ["pytorch_model-00001-of-00001.bin is", "pytorch_model.bin.index.json"]],
  [{ "model.pth": "", "optimizer.pt": "" }, ["it has model.pth", "rename it to pytorch_model.bin"]],
  [{ "best.safetensors": "" }, ["it has best.safetensors", "rename it to model.safetensors"]],
  [{ "checkpoint-500/config.json": "{}", "checkpoint-1000/config.json": "{}" }, [
    "checkpoint-1000, checkpoint-500: give one",
  ]],
  [{ "optimizer.pt": "", "notes.txt": "" }, ["it has none of model.safetensors, "]],
  [{ "model.safetensors": pointer }, ["Git LFS pointer", "git lfs pull"]],
];
for (const [files, parts] of found) {
  Deno.test(`a model's weights of which there is only ${Object.keys(files)} are said to be so`, async () => {
    await withFiles(files, async (folder) => {
      const message = await messageOf(() => load(folder));
      for (const part of parts) assert(message.includes(part), message);
    });
  });
}

Deno.test("a folder without config.json is said to be an adapter or a training's", async () => {
  for (
    const [name, part] of [["adapter_config.json", "LoRA adapter"], ["checkpoint-5/x", "checkpoints checkpoint-5"]]
  ) {
    await withFiles({ [name]: adapter }, async (folder) => {
      await Deno.remove(`${folder}/config.json`);
      const message = await messageOf(() => load(folder));
      assert(message.includes("it has no config.json, but ") && message.includes(part), message);
    });
  }
});

/** The weights of `plain` under other names. */
async function renamed(rename: (name: string) => string | undefined): Promise<Uint8Array> {
  const parameters = new Map<string, Tensor>();
  for (const [name, tensor] of await readCheckpoint(new URL("model.safetensors", plain))) {
    const other = rename(name);
    if (other !== undefined) parameters.set(other, tensor);
  }
  const file = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await writeSafetensors(file, { parameters, read: (name) => Promise.resolve(parameters.get(name)!) });
    return await Deno.readFile(file);
  } finally {
    await Deno.remove(file);
  }
}

const names: readonly [what: string, rename: (name: string) => string | undefined, parts: readonly string[]][] = [
  ["all behind an unknown prefix", (name) => `net.core.${name}`, [
    'stand behind "net.core.", which is not known',
    "take it off",
  ]],
  [
    "with a decoder of another family",
    (name) =>
      name.replace("decoder.model.decoder.", "decoder.roberta.").replace(
        "decoder.output_projection.",
        "decoder.lm_head.",
      ),
    ["config.json's decoder is trocr", "names of roberta or xlm-roberta or camembert such as decoder.roberta."],
  ],
  [
    "with an encoder of another make",
    (name) => name.replace(/^encoder\./, "encoder.stem."),
    ["config.json's encoder is vit", "names such as encoder.stem."],
  ],
  ["of the encoder only", (name) => name.startsWith("encoder.") ? name : undefined, [
    "none is of the decoder",
    "expected names such as decoder.",
  ]],
  [
    "of an adapter beside the model",
    (name) => name.replace("attention.query.weight", "attention.query.lora_A.default.weight"),
    ["LoRA adapter's beside the model's", "merge_and_unload"],
  ],
];
for (const [what, rename, parts] of names) {
  Deno.test(`weights ${what} are said to be so`, async () => {
    await withFiles({ "model.safetensors": await renamed(rename) }, async (folder) => {
      const message = await messageOf(() => load(folder));
      for (const part of parts) assert(message.includes(part), message);
    });
  });
}

Deno.test("weights of 8 bits are said to be quantised", async () => {
  const bytes = new TextEncoder().encode(JSON.stringify({
    "decoder.model.decoder.embed_tokens.weight": { dtype: "F8_E4M3", shape: [2, 2], data_offsets: [0, 4] },
    "encoder.embeddings.cls_token": { dtype: "F8_E5M2", shape: [4], data_offsets: [4, 8] },
  }));
  const file = new Uint8Array(8 + bytes.length + 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(bytes.length), true);
  file.set(bytes, 8);
  await withFiles({ "model.safetensors": file }, async (folder) => {
    const message = await messageOf(() => load(folder));
    assert(message.includes("F8_E") && message.includes("dequantise the model"), message);
  });
});

for (const variant of ["fp16", "bf16"]) {
  Deno.test(`weights saved as the variant ${variant} only are read`, async () => {
    const weights = await Deno.readFile(new URL("model.safetensors", plain));
    await withFiles({ [`model.${variant}.safetensors`]: weights }, async (folder) => {
      await using model = await load(folder);
      assertEquals(model.unusedTensors, []);
    });
  });
}

Deno.test("a Git LFS pointer is named wherever it stands", async () => {
  const bytes = new TextEncoder().encode(pointer);
  for (
    const name of [
      ...["tokenizer.json", "tokenizer_config.json", "vocab.txt"],
      ...["sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "spm.model"],
    ]
  ) {
    await withFiles({ [name]: pointer }, async (folder) => {
      const message = await messageOf(() => AutoTokenizer.fromPretrained(folder));
      assert(message.includes(name) && message.includes("Git LFS pointer"), message);
    });
  }
  await withFiles({ "generation_config.json": pointer }, async (folder) => {
    assert((await messageOf(() => load(folder))).includes("generation_config.json: it is a Git LFS pointer"));
  });
  assert((await messageOf(() => readImage(bytes))).includes("Git LFS pointer"));
});
