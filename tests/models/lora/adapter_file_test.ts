// What is wrong with an adapter's files is said in one line that names the file and the key.
import { assert, assertRejects } from "@std/assert";
import {
  ConfigError,
  FormatError,
  HubError,
  OptionError,
  readCheckpoint,
  ShapeError,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../../mod.ts";
import { writeSafetensors } from "../../../src/checkpoint/mod.ts";

const source = "tests/fixtures/adapters/vit_gpt2";
const query = "base_model.model.encoder.layers.0.attention.q_proj";

type Tensors = Map<string, Tensor>;

/** A copy of an adapter with changes. */
async function altered(
  config: Record<string, unknown>,
  change: (tensors: Tensors) => void = () => {},
): Promise<string> {
  const folder = await Deno.makeTempDir();
  const values = JSON.parse(await Deno.readTextFile(`${source}/adapter_config.json`));
  await Deno.writeTextFile(`${folder}/adapter_config.json`, JSON.stringify({ ...values, ...config }));
  const tensors = await readCheckpoint(`${source}/adapter_model.safetensors`);
  change(tensors);
  await writeSafetensors(`${folder}/adapter_model.safetensors`, tensors);
  return folder;
}

const open = (name: string) =>
  VisionEncoderDecoderModel.fromPretrained(`tests/fixtures/models/${name}`, { backend: "reference" });

/** The message with which a model refuses an adapter. */
async function refusal(
  model: VisionEncoderDecoderModel,
  folder: string,
  // deno-lint-ignore no-explicit-any
  kind: new (...given: any[]) => Error,
): Promise<string> {
  const { message } = await assertRejects(() => model.loadAdapter(folder), kind);
  assert(!message.includes("\n") && message.startsWith("Cannot "), message);
  if (folder !== source) await Deno.remove(folder, { recursive: true });
  return message;
}

Deno.test("fields that ask for what is not done are refused by name, with the reason", async () => {
  await using model = await open("vit_gpt2_captioning");
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ peft_type: "IA3" }, 'peft_type is "IA3", expected "LORA"'],
    [{ peft_type: undefined }, "peft_type is missing"],
    [{ use_dora: true }, "use_dora is true: DoRA"],
    [{ modules_to_save: ["lm_head"] }, 'modules_to_save is ["lm_head"]: it replaces'],
    [{ lora_bias: true }, "lora_bias"],
    [{ bias: "all" }, 'bias is "all"'],
    [{ init_lora_weights: "pissa_niter_4" }, '"pissa_niter_4", which changes the model\'s weights'],
    [{ layer_replication: [[0, 2]] }, "layer_replication"],
    [{ trainable_token_indices: [3] }, "trainable_token_indices"],
    [{ use_tomorrow: { deeply: true } }, 'use_tomorrow is {"deeply":true}, and no such field is known'],
    [{ r: 0 }, "r is 0, expected a positive whole number"],
    [{ r: "3" }, 'r is "3"'],
    [{ lora_alpha: null, rank_pattern: { q_proj: -1 } }, 'rank_pattern is {"q_proj":-1}'],
    [{ lora_dropout: 2 }, "lora_dropout is 2, expected a number from 0 to 1"],
    [{ target_modules: null }, "target_modules is missing"],
    [{ target_modules: [3] }, "target_modules is [3]"],
    [{ target_modules: "(q_proj" }, "target_modules is no regular expression"],
    [{ target_modules: ["nobody"] }, "target_modules does not name"],
  ];
  for (const [config, part] of cases) {
    const kind = part.includes("does not name") ? FormatError : ConfigError;
    const message = await refusal(model, await altered(config), kind);
    assert(message.includes(part), `${message} has not: ${part}`);
  }
});

Deno.test("an adapter of another model, missing values and wrong shapes are told by name", async () => {
  await using model = await open("vit_gpt2_captioning");
  await using other = await open("deit_trocr_small");
  const foreign = await refusal(other, source, FormatError);
  assert(
    /it adapts "decoder\.transformer\.h\.\S+", and the model has no such layer; it has such as "encoder\.layers/.test(
      foreign,
    ),
    foreign,
  );
  const missing = await refusal(
    model,
    await altered({}, (all) => void all.delete(`${query}.lora_B.weight`)),
    FormatError,
  );
  assert(missing.endsWith(`${query}.lora_B.weight is missing`), missing);
  const whole = await altered({}, (all) => ["A", "B"].forEach((one) => all.delete(`${query}.lora_${one}.weight`)));
  assert((await refusal(model, whole, FormatError)).endsWith(`${query}.lora_A.weight is missing`));
  const narrow = await altered({}, (all) => {
    all.set(`${query}.lora_A.weight`, new Tensor("float32", [3, 35], new Float32Array(105)));
  });
  const shapes = await refusal(model, narrow, ShapeError);
  assert(
    shapes.includes("is [3, 35], expected [3, 36]: rank 3 (r, rank_pattern), and a layer of 36 inputs and 36 outputs"),
    shapes,
  );
  const rank = await refusal(model, await altered({ r: 2 }), ShapeError);
  assert(rank.includes("rank 2"), rank);
  const embedding = await altered({}, (all) => {
    all.set(
      "base_model.model.decoder.transformer.wte.lora_embedding_A",
      new Tensor("float32", [1], new Float32Array(1)),
    );
  });
  assert((await refusal(model, embedding, FormatError)).includes("wte.lora_embedding_A"));
  const nothing = await altered({ target_modules: ["nobody"] }, (all) => all.clear());
  assert((await refusal(model, nothing, ConfigError)).includes('target_modules is ["nobody"], and no layer'));
});

Deno.test("a folder without an adapter, or with half of one, is told", async () => {
  await using model = await open("vit_gpt2_captioning");
  const folder = await Deno.makeTempDir();
  assert((await assertRejects(() => model.loadAdapter(folder), HubError)).message.includes("adapter_config.json"));
  await Deno.copyFile(`${source}/adapter_config.json`, `${folder}/adapter_config.json`);
  assert(
    (await assertRejects(() => model.loadAdapter(folder), HubError)).message.includes("adapter_model.safetensors"),
  );
  await Deno.writeTextFile(`${folder}/adapter_config.json`, "[]");
  assert((await refusal(model, folder, FormatError)).includes("expected a JSON object"));
});

Deno.test("an adapter with the names that an earlier version had in memory is read", async () => {
  await using model = await open("vit_gpt2_captioning");
  const golden = await readCheckpoint(`${source}/golden.safetensors`);
  const given = await readCheckpoint("tests/fixtures/models/vit_gpt2_captioning/golden.safetensors");
  const targets = ["query", "value", "c_attn", "q_attn", "c_fc"];
  const folder = await altered({ target_modules: targets }, (all) => {
    for (const [name, tensor] of [...all]) {
      all.delete(name);
      const old = name.replace("encoder.layers.", "encoder.encoder.layer.")
        .replace("attention.q_proj", "attention.attention.query").replace(
          "attention.v_proj",
          "attention.attention.value",
        );
      all.set(old, tensor);
    }
  });
  await model.loadAdapter(folder);
  const { logits } = await model.forward({
    pixelValues: given.get("pixel_values")!,
    decoderInputIds: given.get("decoder_input_ids")!,
  });
  const [a, b] = [logits, golden.get("logits")!].map(({ data }) => data as Float32Array);
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  assert(a.every((x, i) => Math.abs(x - b[i]) <= 1e-4 * largest));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("an adapter is read from a web address, and an option that does not exist is refused", async () => {
  await using model = await open("vit_gpt2_captioning");
  const asked: string[] = [];
  await using server = Deno.serve({ port: 0, onListen() {} }, async ({ url }) => {
    asked.push(new URL(url).pathname);
    const file = await Deno.readFile(`${source}/${asked.at(-1)!.slice("/mine/".length)}`).catch(() => undefined);
    return new Response(file, { status: file ? 200 : 404 });
  });
  const address = `http://127.0.0.1:${server.addr.port}/mine`;
  const { message } = await assertRejects(() => model.loadAdapter(address, { dtype: "q8" } as object), OptionError);
  assert(message.includes('"dtype"') && message.includes("revision"), message);
  assert(asked.length === 0);
  await model.loadAdapter(address);
  assert(asked.includes("/mine/adapter_model.safetensors"), asked.join());
});
