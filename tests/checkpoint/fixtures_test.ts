// Every weight file of the model fixtures read as Python reads it, and every malformed file as its index says.
// golden.json: tests/scripts/make_checkpoint_golden.py. The index files say what Python's readers do.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openCheckpoint, readCheckpoint } from "../../src/checkpoint/mod.ts";
import { FormatError, HubError } from "../../src/errors/mod.ts";
import { openRepository } from "../../src/hub/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { processorTime } from "../process_cost.ts";

/** The number of a file's tensors, and the SHA-256 of what they are. */
type Golden = Record<string, [tensors: number, digest: string]>;

const fixtures = new URL("../fixtures/", import.meta.url).pathname;
const golden: Golden = JSON.parse(await Deno.readTextFile(`${fixtures}checkpoints/golden.json`));

function bytesOf({ data }: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function describe(tensors: Map<string, Tensor>): Promise<Golden[string]> {
  const lines = await Promise.all(
    [...tensors].map(async ([name, tensor]) =>
      `${name} ${tensor.dataType} [${tensor.shape}] ${await sha256(bytesOf(tensor))}\n`
    ),
  );
  return [lines.length, await sha256(new TextEncoder().encode(lines.sort().join("")))];
}

Deno.test("readCheckpoint() reads every weight file as Python does", async () => {
  let tensors = 0;
  for (const [file, expected] of Object.entries(golden)) {
    const read = await readCheckpoint(fixtures + file);
    assertEquals(await describe(read), expected, file);
    tensors += read.size;
  }
  assert(Object.keys(golden).length > 120 && tensors > 6500, `${tensors} tensors`);
});

Deno.test("readCheckpoint() reads a folder as the union of its shards", async () => {
  for (const model of ["vit_roberta", "swin_bert_pad_ape", "vit_bert", "vit_gpt2_captioning", "vit_trocr_base"]) {
    const shards = Object.keys(golden).filter((file) =>
      file.startsWith(`models/${model}/`) && !file.endsWith("golden.safetensors")
    );
    const tensors = (await Promise.all(shards.map((shard) => readCheckpoint(fixtures + shard)))).flatMap((m) => [...m]);
    assertEquals(await describe(await readCheckpoint(`${fixtures}models/${model}`)), await describe(new Map(tensors)));
  }
  const index = `file://${fixtures}models/vit_roberta/model.safetensors.index.json`;
  assertEquals((await readCheckpoint(index)).size, (await readCheckpoint(new URL(".", index))).size);
});

Deno.test("readCheckpoint() reads files and folders under an http address", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const content = await Deno.readFile(`${fixtures}models${new URL(request.url).pathname}`).catch(() => undefined);
    return new Response(content ?? "none", { status: content ? 200 : 404 });
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  for (const model of ["vit_roberta", "deit_bert"]) {
    assertEquals(await readCheckpoint(`${base}/${model}`), await readCheckpoint(`${fixtures}models/${model}`));
  }
  const file = new URL(`${base}/vit_roberta/model-00002-of-00004.safetensors?download=1`);
  assertEquals(
    await describe(await readCheckpoint(file)),
    golden["models/vit_roberta/model-00002-of-00004.safetensors"],
  );
  await assertRejects(() => readCheckpoint(`${base}/vit_roberta/none.bin`), HubError, "there is no such file");
  await assertRejects(() => readCheckpoint(`${base}/nothing`), HubError, "it has none of model.safetensors");
  await assertRejects(() => readCheckpoint(`${fixtures}models/vit_bert/none.bin`), HubError, "there is no such file");
});

Deno.test("a region of every model fixture holds the bytes that reading gives", async () => {
  let regions = 0;
  for await (const { name } of Deno.readDir(`${fixtures}models`)) {
    await using checkpoint = await openCheckpoint(await openRepository(`${fixtures}models/${name}`));
    const files = new Map<string, Uint8Array>();
    for (const [key, { region }] of checkpoint.parameters) {
      assert(region, `${name} ${key} has no region`);
      if (!files.has(region.path)) files.set(region.path, await Deno.readFile(region.path));
      const bytes = files.get(region.path)!.subarray(region.offset, region.offset + region.byteLength);
      assertEquals(bytes.length, region.byteLength);
      assert(sameBytes(bytes, bytesOf(await checkpoint.read(key))), `${name} ${key}`);
      regions++;
    }
  }
  assert(regions > 2300, `${regions} regions`);
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test("readCheckpoint() reads shared, transposed, strided and expanded views", async () => {
  const read = await readCheckpoint(`${fixtures}bad/torch_bin/ok_views.bin`);
  const base = read.get("base")!.toList() as number[][];
  assertEquals(read.get("t")!.toList(), base[0].map((_, column) => base.map((row) => row[column])));
  assertEquals(read.get("slice")!.shape, [2, 3]);
  const expanded = read.get("expanded")!.toList() as number[][];
  assertEquals(expanded, [expanded[0], expanded[0], expanded[0], expanded[0]]);
  assertEquals(read.get("scalar")!.shape, []);
  assertEquals(read.get("empty")!.size, 0);
});

for (const kind of ["safetensors", "torch_bin"]) {
  Deno.test(`readCheckpoint() takes each file of bad/${kind} as its index says`, async () => {
    const folder = `${fixtures}bad/${kind}/`;
    const { cases } = JSON.parse(await Deno.readTextFile(`${folder}index.json`));
    assert(cases.length >= 23);
    for (const { path, expect, description } of cases as Record<string, string>[]) {
      const started = processorTime();
      const outcome = await readCheckpoint(folder + path).then(() => "ok", (error) => error);
      assert(processorTime() - started < 2000, `${path} took too much of the processor`);
      if (outcome !== "ok") {
        assert(outcome instanceof FormatError, `${path}: ${outcome}`);
        assert(outcome.message.includes(path) && !outcome.message.includes("\n"), outcome.message);
        assert(outcome.details.file?.endsWith(path), path);
      }
      if (expect === "ok") assertEquals(outcome, "ok", `${path} (${description})`);
      if (expect === "error") assert(outcome !== "ok", `${path} was read: ${description}`);
    }
  });
}

Deno.test("readCheckpoint() refuses hostile pickles by name and runs nothing", async () => {
  const marker = `${Deno.env.get("TMPDIR") ?? "/tmp"}/ved_pwned`;
  await Deno.remove(marker).catch(() => {});
  for (const form of ["zip", "legacy", "plain_pickle"]) {
    const system = `${fixtures}bad/torch_bin/malicious_os_system_${form}.bin`;
    const error = await assertRejects(() => readCheckpoint(system), FormatError, "it names posix.system");
    assert(error.details.offset! > 0);
    const evaluate = `${fixtures}bad/torch_bin/malicious_eval_${form}.bin`;
    await assertRejects(
      () => readCheckpoint(evaluate),
      FormatError,
      /plain/.test(form) ? "it names builtins.eval" : "it names __builtin__.eval",
    );
  }
  const left = await Deno.stat(marker).then(() => true, () => false);
  assertEquals(left, false);
});
