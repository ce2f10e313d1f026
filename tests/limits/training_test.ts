// What a saved run's file and a data set's table may ask for: absurd numbers, files that are cut, texts and tables without end.
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  FormatError,
  ImageTextDataset,
  LimnerError,
  readCheckpoint,
  Tensor,
  Trainer,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { withFolderOf } from "../folder_of_files.ts";
import { processorTime } from "../process_cost.ts";
import { values } from "./absurd_cases.ts";

type Json = Record<string, unknown>;

const model = "tests/fixtures/models/vit_trocr_sinusoidal";
const backend = "reference";

/** Save a run. @returns Its folder, and its file's description and other tensors. */
async function savedRun(): Promise<{ folder: string; description: Json; tensors: Map<string, Tensor> }> {
  const folder = await Deno.makeTempDir();
  await using trained = await VisionEncoderDecoderModel.fromPretrained(model, { backend });
  const frozen = (name: string) => name !== "decoder.model.decoder.layers.0.fc1.bias";
  await using trainer = await Trainer.create(trained, { learningRate: 1e-3, frozen, ema: 0.9 });
  trainer.fitProgress = { epoch: 1, batch: 2, batchSize: 3, evaluationsSinceBest: 4, evaluatedAt: 5 };
  await trainer.save(folder);
  const tensors = new Map(await readCheckpoint(`${folder}/trainer.safetensors`));
  const description = JSON.parse(new TextDecoder().decode(tensors.get("description")!.data as Uint8Array<ArrayBuffer>));
  return { folder, description, tensors };
}

/** Resume a run. @returns What it was refused with, within a second. */
async function resume(folder: string): Promise<LimnerError | undefined> {
  const before = processorTime();
  const trainer = await Trainer.resume(folder, { backend }).catch((error) => error);
  const taken = processorTime() - before;
  if (trainer instanceof Trainer) await trainer[Symbol.asyncDispose]();
  assert(taken < 1000, `${taken} ms of the processor: ${trainer}`);
  if (trainer instanceof Trainer) return undefined;
  assertInstanceOf(trainer, LimnerError, trainer.stack);
  return trainer;
}

Deno.test("absurd numbers of a saved run are refused by their key, or it goes on", async () => {
  const { folder, description, tensors } = await savedRun();
  assertEquals(await resume(folder), undefined);
  const write = (changed: Json) => {
    const text = new TextEncoder().encode(JSON.stringify(changed));
    const all = new Map([...tensors, ["description", new Tensor("uint8", [text.length], text)]]);
    return writeSafetensors(`${folder}/trainer.safetensors`, all);
  };
  const inner = (key: string) => Object.keys(description[key] as Json).map((name) => [key, name]);
  const paths = [
    ...Object.keys(description).map((key) => [key]),
    ...["pending", "settings", "fitProgress"].flatMap(inner),
  ];
  let refused = 0;
  for (const path of paths) {
    for (const value of values) {
      const changed = structuredClone(description);
      const holder = path.slice(0, -1).reduce((at, key) => at[key] as Json, changed);
      holder[path.at(-1)!] = value;
      await write(changed);
      const error = await resume(folder);
      if (!error) continue;
      assert(error.message.includes("trainer.safetensors"), error.message);
      assert(error.message.includes(path[0]), `${path}: ${error.message}`);
      refused++;
    }
  }
  assert(refused > 100, `${refused} were refused`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a saved run that is cut, lacks a tensor or has one more is refused by name", async () => {
  const { folder, description, tensors } = await savedRun();
  const file = `${folder}/trainer.safetensors`;
  const whole = await Deno.readFile(file);
  for (const share of [0, 0.1, 0.5, 0.99]) {
    await Deno.writeFile(file, whole.subarray(0, share * whole.length));
    assertInstanceOf(await resume(folder), FormatError);
  }
  const refusal = async (change: (all: Map<string, Tensor>) => void): Promise<string> => {
    const all = new Map(tensors);
    change(all);
    await writeSafetensors(file, all);
    const error = await resume(folder);
    assertInstanceOf(error, FormatError);
    return error.message;
  };
  const name = "mean.decoder.model.decoder.layers.0.fc1.bias";
  assert((await refusal((all) => all.delete(name))).includes(`no tensor "${name}"`));
  assert(
    (await refusal((all) => all.set(name, new Tensor("float32", [1], new Float32Array(1))))).includes("no tensor"),
  );
  const more = await refusal((all) => all.set("more", new Tensor("float32", [1], new Float32Array(1))));
  assert(more.includes('a tensor "more"'), more);
  const pending = new TextEncoder().encode(JSON.stringify({
    ...description,
    settings: { ...description.settings as Json, gradientAccumulation: 2 },
    pending: { calls: 1, labels: 3 },
  }));
  const sums = await refusal((all) => all.set("description", new Tensor("uint8", [pending.length], pending)));
  assert(sums.includes('no tensor "gradient.'), sums);
  assert((await refusal((all) => all.delete("description"))).includes("does not describe a run"));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("tables of a data set that are absurd are refused by file and line, or their rows are broken", async () => {
  const options = {
    tokenizer: await AutoTokenizer.fromPretrained(model),
    processor: await AutoImageProcessor.fromPretrained(model),
  };
  const row = (text: unknown, file_name: unknown = "a.png") => JSON.stringify({ file_name, text });
  const cases: readonly [table: string, content: string, said: string][] = [
    ["metadata.jsonl", `{"file_name":${"[".repeat(2e5)}${"]".repeat(2e5)}}`, "line 1"],
    ["metadata.jsonl", row("a".repeat(2_000_000)), "2000000 characters"],
    ["metadata.jsonl", row("a", "../../etc/passwd"), "inside the folder"],
    ["metadata.jsonl", row("a", "a".repeat(1e5)), "metadata.jsonl, line 1"],
    ["metadata.jsonl", values.map((value) => row(value)).join("\n"), "expected a text"],
    ["metadata.jsonl", values.map((value) => row("a", value)).join("\n"), "metadata.jsonl, line 1"],
    ["metadata.csv", "file_name,text" + ",c".repeat(1e5), "lists no picture"],
    ["metadata.csv", `file_name,text\n"${"a,".repeat(1e6)}`, "metadata.csv"],
  ];
  for (const [table, content, said] of cases) {
    await withFolderOf({}, { [table]: content, "a.png": "" }, async (folder) => {
      const before = processorTime();
      const error = await ImageTextDataset.fromFolder(folder, options).catch((error) => error);
      const taken = processorTime() - before;
      assert(taken < 1000, `${taken} ms of the processor`);
      assertInstanceOf(error, LimnerError, error.stack);
      assert(error.message.includes(said), error.message.slice(0, 500));
    });
  }
});

Deno.test("a table larger than 256 MiB is refused before it is read", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/metadata.jsonl`, "");
  await Deno.truncate(`${folder}/metadata.jsonl`, 2 ** 28 + 1); // a hole: it takes no room
  const tokenizer = await AutoTokenizer.fromPretrained(model);
  const processor = await AutoImageProcessor.fromPretrained(model);
  await assertRejects(
    () => ImageTextDataset.fromFolder(folder, { tokenizer, processor }),
    FormatError,
    "it has 268435457 bytes, and at most 268435456 are read",
  );
  await Deno.remove(folder, { recursive: true });
});
