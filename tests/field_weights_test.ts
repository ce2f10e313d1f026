// Checkpoints as they are in the field (fixtures/field, made by scripts/make_field.py): Transformers' numbers, whatever
// the files call the parameters and whichever of them they hold.
import { assert, assertEquals } from "@std/assert";
import { readCheckpoint, Tensor, VisionEncoderDecoderModel } from "../mod.ts";
import { writeSafetensors } from "../src/checkpoint/mod.ts";
import { describeLoading } from "../src/cli/describe_loading.ts";
import { caption as command } from "./cli/command_process.ts";
import { assertClose } from "./conformance/closeness.ts";
import { testedBackends } from "./backends/tested_backends.ts";

const field = new URL("fixtures/field/", import.meta.url);
const backend = testedBackends.includes("ffi") ? "ffi" : "reference";

interface Case {
  readonly shape: number[];
  readonly pixels: number[];
  readonly ids: number[][];
  readonly logits: number[];
  readonly states?: number[];
  /** What generate gives with the options `gen`. */
  readonly seq?: number[][];
  readonly gen?: Readonly<Record<string, number>>;
  readonly unexpected?: string[];
}

const readJson = async (file: URL) => JSON.parse(await Deno.readTextFile(file));

/** The picture of every case that has none of its own. */
const picture = await readJson(new URL("pixels.json", field));

async function caseOf(folder: URL): Promise<Case> {
  return { ...picture, ...await readJson(new URL("case.json", folder)) };
}

const pixelsOf = ({ shape, pixels }: Case) => new Tensor("float32", shape, Float32Array.from(pixels));

async function checkLogits(model: VisionEncoderDecoderModel, expected: Case): Promise<void> {
  const { logits } = await model.forward({ pixelValues: pixelsOf(expected), decoderInputIds: expected.ids });
  assertClose(logits, new Tensor("float32", logits.shape, Float32Array.from(expected.logits)), 2e-4, "the logits");
}

/** The model of a folder as Transformers reads it. */
async function check(folder: URL): Promise<VisionEncoderDecoderModel> {
  const expected = await caseOf(folder);
  const model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  await checkLogits(model, expected);
  if (expected.seq) {
    const options = Object.entries(expected.gen!).map(([key, value]) =>
      [key.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), value] as const
    );
    const { sequences } = await model.generate(pixelsOf(expected), Object.fromEntries(options));
    assertEquals(sequences, expected.seq);
  }
  assertEquals([...model.unusedTensors].sort(), expected.unexpected ?? []);
  return model;
}

const folders = ["head_replaced", "names_in_memory", "foreign_names", "families", "made"].flatMap((kind) =>
  [...Deno.readDirSync(new URL(`${kind}/`, field))].map(({ name }) => `${kind}/${name}`)
).filter((name) => !name.includes("/source_")).sort();

for (const name of folders) {
  Deno.test(`fromPretrained() reads ${name} as Transformers`, async () => {
    await using _ = await check(new URL(`${name}/`, field));
  });
}

for (
  const name of [
    "head_replaced/gpt2",
    "head_replaced/trocr",
    ...folders.filter((name) => /made\/head/.test(name)),
  ]
) {
  Deno.test(`savePretrained() keeps what ${name} holds apart`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await using model = await check(new URL(`${name}/`, field));
      await model.savePretrained(folder);
      await using again = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      await checkLogits(again, await caseOf(new URL(`${name}/`, field)));
      assertEquals(again.namedParameters(), model.namedParameters());
      assertEquals(again.unusedTensors, []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("resizeTokenEmbeddings() keeps a head that was trained apart", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("head_replaced/gpt2/", field), {
    backend,
  });
  const head = "decoder.lm_head.weight";
  const before = await model.parameter(head);
  const [rows] = before.shape;
  await model.resizeTokenEmbeddings(rows + 3);
  const after = await model.parameter(head);
  assertEquals(after.shape, [rows + 3, before.shape[1]]);
  assertEquals(after.data.slice(0, before.size), before.data);
});

/** The model of foreign_names/plain with every name changed, in a folder of its own. */
async function renamed(
  rename: (name: string) => string,
  use: (folder: URL) => Promise<void>,
  more: Readonly<Record<string, Tensor>> = {},
): Promise<void> {
  const plain = new URL("foreign_names/plain/", field);
  const folder = await Deno.makeTempDir();
  try {
    for (const file of ["config.json", "generation_config.json", "case.json"]) {
      await Deno.copyFile(new URL(file, plain), `${folder}/${file}`);
    }
    const tensors = await readCheckpoint(new URL("model.safetensors", plain));
    const parameters = new Map([...tensors, ...Object.entries(more)].map(([name, tensor]) => [rename(name), tensor]));
    await writeSafetensors(`${folder}/model.safetensors`, {
      parameters,
      read: (name) => Promise.resolve(parameters.get(name)!),
    });
    await use(new URL(`file://${folder}/`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const prefixes = [
  ...["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model.", "base_model.model."],
  ...["state_dict.", "model_state_dict.", "state_dict.model.", "model.module._orig_mod.", "_fsdp_wrapped_module."],
];
for (const prefix of prefixes) {
  Deno.test(`fromPretrained() reads names behind ${prefix}, and names it`, async () => {
    await renamed((name) => prefix + name, async (folder) => {
      await using model = await check(folder);
      assertEquals(model.namePrefixes, [prefix]);
    });
  });
}

Deno.test("fromPretrained() reads names of a part that was wrapped", async () => {
  const wrap = (name: string) =>
    name.replace(/^encoder\./, "encoder.module.").replace(/layer\.0\./, "layer.0._orig_mod.");
  await renamed(wrap, async (folder) => void await (await check(folder))[Symbol.asyncDispose]());
});

Deno.test("unusedTensors has the file's own names, and --verbose says what was left out", async () => {
  const odd = "encoder.extra.LayerNorm.gamma";
  await renamed((name) => `module.${name}`, async (folder) => {
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
    assertEquals(model.unusedTensors, [`module.${odd}`]);
    assertEquals(describeLoading(model), [
      'note: the tensors\' names stand behind "module.", which was left out',
      `warning: the model does not use 1 tensor (module.${odd}) of its files`,
    ]);
  }, { [odd]: new Tensor("float32", [1], Float32Array.of(1)) });
  await using plain = await VisionEncoderDecoderModel.fromPretrained(new URL("foreign_names/plain/", field), {
    backend: "reference",
  });
  assertEquals(describeLoading(plain), []);
});

for (const name of ["vit", "swin", "beit"]) {
  Deno.test(`fromEncoderDecoderPretrained() takes the encoder of source_${name}, saved from memory`, async () => {
    const folder = new URL(`made/source_${name}/`, field);
    const expected = await caseOf(folder);
    await using model = await VisionEncoderDecoderModel.fromEncoderDecoderPretrained(
      folder,
      new URL("fixtures/warmstart/checkpoints/decoders/bert_model/", import.meta.url),
      { backend },
    );
    assertEquals(model.newlyInitialized.filter((name) => name.startsWith("encoder.") && !name.includes("pooler")), []);
    const unused = ["pooler.dense.bias", "pooler.dense.weight"]; // the decoder's
    if (name === "vit") unused.unshift("classifier.bias", "classifier.weight");
    assertEquals([...model.unusedTensors].sort(), unused);
    const pixelValues = pixelsOf(expected);
    const { encoderLastHiddenState: states } = await model.forward({ pixelValues, decoderInputIds: [[2]] });
    assertClose(states, new Tensor("float32", states.shape, Float32Array.from(expected.states!)), 2e-4, "the states");
  });
}

Deno.test("the command says with --verbose what a model's files hold otherwise than expected", async () => {
  const donut = new URL("donut/cord/", field);
  const folder = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(donut)) await Deno.symlink(new URL(name, donut), `${folder}/${name}`);
    const parameters = new Map<string, Tensor>();
    for (const [name, tensor] of await readCheckpoint(new URL("model.safetensors", donut))) {
      parameters.set(`module.${name}`, tensor);
    }
    parameters.set("value_head.bias", new Tensor("float32", [1], Float32Array.of(1)));
    await Deno.remove(`${folder}/model.safetensors`);
    await writeSafetensors(`${folder}/model.safetensors`, {
      parameters,
      read: (name) => Promise.resolve(parameters.get(name)!),
    });
    const picture = new URL("donut/white.png", field).pathname;
    const run = (...args: string[]) => command(["--backend", "reference", "--model", folder, picture, ...args]);
    const { code, stderr } = await run("--verbose");
    assertEquals(code, 0);
    assert(stderr.includes('note: the tensors\' names stand behind "module.", which was left out\n'), stderr);
    assert(stderr.includes("warning: the model does not use 1 tensor (value_head.bias) of its files\n"), stderr);
    assertEquals((await run()).stderr, "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
