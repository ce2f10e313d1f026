// What a hostile file costs: each is read in a process of its own, whose peak memory may grow by the file's size + 64 MB.
// Needs /proc, so it runs on Linux; elsewhere it says so.
import { assert, assertEquals } from "@std/assert";
import { writeCheckpoint } from "../../src/checkpoint/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { costFlags, readsMemory } from "../process_cost.ts";
import { type Bytes, bytes, concat, little, op, pickle, type TestEntry, torchZip, zip } from "./torch_file.ts";

const fixtures = new URL("../fixtures/", import.meta.url).pathname;
const allowance = 64e6;

/** Reads the files given, one after the other; prints what came of each and by how much the peak memory grew. */
const program = `
import { memory, processorTime } from ${JSON.stringify(import.meta.resolve("../process_cost.ts"))};
import { readCheckpoint } from ${JSON.stringify(import.meta.resolve("../../src/checkpoint/mod.ts"))};
const [warm, ...files] = Deno.args;
await readCheckpoint(warm);
for (const file of files) {
  const before = memory().peak, started = processorTime();
  const outcome = await readCheckpoint(file).then(() => "read", (error) => error.name + ": " + error.message);
  console.log(JSON.stringify({ file, outcome, grown: memory().peak - before, ms: processorTime() - started }));
}
`;

/** Reads every tensor of a folder and drops it. */
const lazily = `
import { memory } from ${JSON.stringify(import.meta.resolve("../process_cost.ts"))};
import { openCheckpoint } from ${JSON.stringify(import.meta.resolve("../../src/checkpoint/mod.ts"))};
import { openRepository } from ${JSON.stringify(import.meta.resolve("../../src/hub/mod.ts"))};
const before = memory().peak;
const checkpoint = await openCheckpoint(await openRepository(Deno.args[0]));
let sum = 0;
for (const name of checkpoint.parameters.keys()) sum += (await checkpoint.read(name)).data.at(-1);
console.log(JSON.stringify({ sum, grown: memory().peak - before }));
`;

interface Cost {
  file: string;
  outcome: string;
  grown: number;
  ms: number;
}

async function costOf(folder: string, files: string[]): Promise<Cost[]> {
  await Deno.writeTextFile(`${folder}/read.ts`, program);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-config",
      costFlags,
      "-A",
      `${folder}/read.ts`,
      `${fixtures}bad/torch_bin/ok_zip.bin`,
      ...files,
    ],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const costs: Cost[] = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(costs.length, files.length);
  for (const { file, outcome, grown, ms } of costs) {
    const { size } = await Deno.stat(file);
    assert(grown <= size + allowance, `${file} (${size} bytes) took ${(grown / 1e6).toFixed(0)} MB: ${outcome}`);
    assert(ms < 2000, `${file} took ${ms.toFixed(0)} ms of the processor`);
  }
  return costs;
}

/** A zip file whose data.pkl is packed, so that a small file holds a large pickle. */
function packed(...parts: Bytes[]): Uint8Array {
  return zip([{ name: "a/data.pkl", data: concat(parts.map((part) => bytes(part))), deflate: true }]);
}

function repeated(text: string, count: number): Uint8Array {
  const unit = bytes(text);
  return new Uint8Array(count * unit.length).map((_, i) => unit[i % unit.length]);
}

function safetensors(header: string): Uint8Array {
  return bytes(little(header.length, 8), new TextEncoder().encode(header));
}

function bombs(): Record<string, Uint8Array> {
  const count = 7 << 20;
  const numbers = Array.from({ length: 9_999 }, (_, i) => i);
  const expanded = (elements: number) =>
    op.tensor({ shape: op.tuple(op.int(elements), op.int(4)), strides: op.tuple("K\x00", "K\x01") });
  const zeros = new Uint8Array(7 << 20);
  const filled = op.tensor({ size: op.int(zeros.length / 4), shape: op.tuple(op.int(zeros.length / 4)) });
  const many: TestEntry[] = Array.from({ length: 10_000 }, (_, i) => ({ name: `a/data/${i}`, data: new Uint8Array() }));
  return {
    "dictionaries.bin": packed(repeated("}0", count / 2)),
    "filled_dictionaries.bin": packed(repeated("}NNs0", count / 5)),
    "lists.bin": packed("]", repeated("]a", count / 2)),
    "marks.bin": packed(repeated("(", count)),
    "strings.bin": packed("](", repeated("U\x02ab", count / 4)),
    "strings_kept.bin": packed("]", repeated("U\x02aba", count / 5)),
    "memo.bin": packed("](", numbers.map((i) => ["U\x02abr", little(i, 4)])),
    "memoize.bin": packed("N", repeated("\x94", count - 1)),
    "floats.bin": packed("](", repeated("G\x01\x02\x03\x04\x05\x06\x07\x08", count / 9)),
    "large_integers.bin": packed("](", repeated(`\x8a\x10${"\x7f".repeat(16)}`, count / 18)),
    "long_pickle.bin": packed(repeated("N0", count / 2)),
    "expanded.bin": torchZip(op.dict([op.string("w"), expanded(500_000)]), { 0: new Uint8Array(16) }),
    "expanded_too_far.bin": torchZip(op.dict([op.string("w"), expanded(2 ** 40)]), { 0: new Uint8Array(16) }),
    "inflated.bin": zip([
      { name: "a/data.pkl", data: pickle(op.dict([op.string("w"), filled])) },
      { name: "a/data/0", data: zeros, deflate: true },
    ]),
    "inflates_beyond.bin": zip([
      { name: "a/data.pkl", data: pickle(op.dict([op.string("w"), op.tensor({})])) },
      { name: "a/data/0", data: new Uint8Array(64 << 20), deflate: true, size: 16 },
    ]),
    "entries.bin": zip(many),
    "tensors.safetensors": safetensors(
      `{${numbers.map((i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join()}}`,
    ),
    "deep.safetensors": safetensors('{"a":'.repeat(1 << 20)),
    "metadata.safetensors": safetensors(`{"__metadata__":{${numbers.map((i) => `"${i}":""`).join()}}}`),
    "many_lists.index.json": bytes(`{"weight_map":[${"[],".repeat(1 << 20)}[]]}`),
    "many_names.index.json": bytes(`{"weight_map":{${numbers.map((i) => `"${i}":"x"`).join()}}}`),
  };
}

Deno.test("hostile files cost no more memory than their size and 64 MB, and no more than 2 s of work", async () => {
  if (!readsMemory) return console.log("not measured: peak memory is read from /proc, which is Linux's");
  const folder = await Deno.makeTempDir();
  try {
    const read: string[] = [];
    for (const [name, content] of Object.entries(bombs())) {
      await Deno.writeFile(`${folder}/${name}`, content);
      const [{ outcome }] = await costOf(folder, [`${folder}/${name}`]);
      if (outcome === "read") read.push(name);
      else assert(outcome.startsWith("FormatError: Cannot read"), outcome);
    }
    assertEquals(read, ["expanded.bin", "inflated.bin", "tensors.safetensors", "metadata.safetensors"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("reading a checkpoint tensor by tensor needs the memory of a few tensors", async () => {
  if (!readsMemory) return console.log("not measured: peak memory is read from /proc, which is Linux's");
  const folder = await Deno.makeTempDir();
  try {
    const elements = 1 << 20, count = 40; // 40 tensors of 4 MB
    const tensor = new Tensor("float32", [elements], new Float32Array(elements).fill(1));
    const names = Array.from({ length: count }, (_, i) => `w${i}`);
    await writeCheckpoint(`${folder}/safetensors`, new Map(names.map((name) => [name, tensor])));
    const view = (key: string) =>
      op.tensor({ key: op.string(key), size: op.int(elements), shape: op.tuple(op.int(elements)) });
    const data = new Uint8Array(tensor.data.buffer);
    const storages = Object.fromEntries(names.map((name) => [name, data]));
    await Deno.mkdir(`${folder}/torch`);
    await Deno.writeFile(
      `${folder}/torch/pytorch_model.bin`,
      torchZip(op.dict(...names.map((name): [Bytes, Bytes] => [op.string(name), view(name)])), storages),
    );
    await Deno.writeTextFile(`${folder}/lazily.ts`, lazily);
    for (const kind of ["safetensors", "torch"]) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", "--no-config", costFlags, "-A", `${folder}/lazily.ts`, `${folder}/${kind}`],
      }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      const { sum, grown } = JSON.parse(new TextDecoder().decode(stdout));
      assertEquals(sum, count);
      assert(grown < 100e6, `${kind}: ${(grown / 1e6).toFixed(0)} MB for ${(count * 4).toFixed(0)} MiB of tensors`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
