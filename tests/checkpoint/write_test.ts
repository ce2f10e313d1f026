// Writing checkpoints: Python's bytes exactly, shards with an index, and the old checkpoint whole until the new one is.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  openCheckpoint,
  readCheckpoint,
  type TensorSource,
  writeCheckpoint,
  writeSafetensors,
} from "../../src/checkpoint/mod.ts";
import { FormatError, OptionError, WriteError } from "../../src/errors/mod.ts";
import { openRepository } from "../../src/hub/mod.ts";
import { writeFileAtomically } from "../../src/hub/atomic_file.ts";
import { Tensor } from "../../src/tensor/mod.ts";

const fixtures = new URL("../fixtures/", import.meta.url).pathname;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner save " });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function listing(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

const value = (n: number, size = 4) => new Tensor("float32", [size], new Float32Array(size).fill(n));
const tensors = (n: number) => new Map(["a", "b", "c"].map((name) => [name, value(n)]));

Deno.test("writeSafetensors() writes the bytes that Python's safetensors writes", async () => {
  await withFolder(async (folder) => {
    for (const file of ["checkpoints/types", "models/vit_bert/model", "models/deit_trocr_small/model"]) {
      await writeSafetensors(`${folder}/x`, await readCheckpoint(`${fixtures}${file}.safetensors`));
      assertEquals(await Deno.readFile(`${folder}/x`), await Deno.readFile(`${fixtures}${file}.safetensors`), file);
    }
    const bare = `${fixtures}checkpoints/no_metadata.safetensors`;
    await writeSafetensors(`${folder}/x`, await readCheckpoint(bare), { metadata: {} });
    assertEquals(await Deno.readFile(`${folder}/x`), await Deno.readFile(bare));
    assertEquals(listing(folder), ["x"]);
  });
});

Deno.test("writeCheckpoint() copies a checkpoint lazily into shards that read back the same", async () => {
  await withFolder(async (folder) => {
    const source = `${fixtures}models/vit_roberta`;
    await using checkpoint = await openCheckpoint(await openRepository(source));
    await writeCheckpoint(new URL(`file://${encodeURI(folder)}/new/folder/`), checkpoint, { maxShardSize: "90KB" });
    const written = `${folder}/new/folder`;
    const names = listing(written);
    assertEquals(names.at(-1), "model.safetensors.index.json");
    assertEquals(names[0], `model-00001-of-0000${names.length - 1}.safetensors`);
    assert(names.length > 3);
    for (const name of names.slice(0, -1)) {
      const shard = await readCheckpoint(`${written}/${name}`);
      const bytes = shard.values().reduce((sum, { data }) => sum + data.byteLength, 0);
      assert(bytes <= 90_000 || shard.size === 1, `${name} has ${bytes} bytes`);
    }
    const read = await readCheckpoint(written), expected = await readCheckpoint(source);
    assertEquals(new Map([...read].sort()), new Map([...expected].sort()));
    const { metadata } = JSON.parse(await Deno.readTextFile(`${written}/model.safetensors.index.json`));
    const sizes = [...expected.values()].map(({ data, size }) => [data.byteLength, size]);
    const [bytes, count] = [0, 1].map((i) => sizes.reduce((sum, pair) => sum + pair[i], 0));
    assertEquals(metadata, { total_parameters: count, total_size: bytes });
  });
});

Deno.test("writeCheckpoint() replaces single files by shards and shards by others, and leaves no old ones", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, "{}");
    const save = (n: number, maxShardSize: number) => writeCheckpoint(folder, tensors(n), { maxShardSize });
    const steps: [limit: number, shards: number][] = [[99, 1], [16, 3], [16, 3], [32, 2], [99, 1], [1, 3], [99, 1]];
    for (const [n, [limit, shards]] of steps.entries()) {
      await save(n, limit);
      assertEquals(await readCheckpoint(folder), tensors(n));
      const names = listing(folder);
      assertEquals(names.filter((name) => name.endsWith(".safetensors")).length, shards, names.join());
      assertEquals(names.includes("model.safetensors.index.json"), shards > 1);
      assertEquals(names.length, 1 + shards + Number(shards > 1), names.join());
    }
  });
});

Deno.test("writeCheckpoint() can overwrite the folder that it reads lazily", async () => {
  await withFolder(async (folder) => {
    await writeCheckpoint(folder, tensors(3), { maxShardSize: 16 });
    for (const maxShardSize of [16, 32, 99, 99]) {
      await using checkpoint = await openCheckpoint(await openRepository(folder));
      await writeCheckpoint(folder, checkpoint, { maxShardSize });
      assertEquals(await readCheckpoint(folder), tensors(3));
    }
  });
});

Deno.test("a save that fails leaves the old checkpoint and nothing else", async () => {
  await withFolder(async (folder) => {
    await writeCheckpoint(folder, tensors(1));
    const before = listing(folder);
    const failing = (error: Error): TensorSource => ({
      parameters: tensors(2),
      read: (name) => name === "b" ? Promise.reject(error) : Promise.resolve(value(2)),
    });
    const lying: TensorSource = {
      parameters: tensors(2),
      read: (name) => Promise.resolve(value(2, name === "b" ? 5 : 4)),
    };
    const reserved = new Map([["__metadata__", value(2)]]);
    for (const maxShardSize of [16, 99]) {
      await assertRejects(() => writeCheckpoint(folder, failing(new Error("disk")), { maxShardSize }), Error, "disk");
      await assertRejects(() => writeCheckpoint(folder, lying, { maxShardSize }), FormatError, '"b" is float32 [5]');
      await assertRejects(() => writeCheckpoint(folder, reserved, { maxShardSize }), FormatError, "__metadata__");
      const signal = AbortSignal.abort();
      await assertRejects(() => writeCheckpoint(folder, tensors(2), { maxShardSize, signal }), DOMException);
    }
    for (const maxShardSize of [0, -1, NaN, "5 apples", "GB", ""]) {
      await assertRejects(() => writeCheckpoint(folder, tensors(2), { maxShardSize }), OptionError, "maxShardSize");
    }
    assertEquals(listing(folder), before);
    assertEquals(await readCheckpoint(folder), tensors(1));
  });
});

Deno.test("writeCheckpoint() removes what a killed save left, but not what another is writing", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/.limner-01234567.tmp`, "left by a killed process");
    await Deno.writeTextFile(`${folder}/.limner-notes.tmp`, "not ours");
    const other = await Deno.open(`${folder}/.limner-89abcdef.tmp`, { write: true, createNew: true });
    await other.lock(true);
    await writeCheckpoint(folder, tensors(1));
    other.close();
    assertEquals(listing(folder), [".limner-89abcdef.tmp", ".limner-notes.tmp", "model.safetensors"]);
  });
});

Deno.test("writeCheckpoint() writes a checkpoint of no tensors, and scalars and empty ones", async () => {
  await withFolder(async (folder) => {
    await writeCheckpoint(folder, new Map());
    assertEquals((await readCheckpoint(folder)).size, 0);
    const odd = new Map([
      ["scalar", new Tensor("int64", [], new BigInt64Array([-1n]))],
      ["empty", new Tensor("bool", [0, 2], new Uint8Array(0))],
      ['quote " back \\ line \n ü', value(1)],
      ["part", new Tensor("int8", [2], new Int8Array([1, 2, 3, 4]).subarray(1, 3))],
    ]);
    await writeCheckpoint(folder, odd, { metadata: { 'a"': "ü\n" } });
    const read = await readCheckpoint(folder);
    assertEquals(new Map([...read].sort()), new Map([...odd].sort()));
  });
});

Deno.test("writeFileAtomically() replaces a file as a whole", async () => {
  await withFolder(async (folder) => {
    await writeFileAtomically(folder, "x.json", "first, and longer");
    await writeFileAtomically(folder, "x.json", new TextEncoder().encode("second ü"));
    assertEquals(await Deno.readTextFile(`${folder}/x.json`), "second ü");
    await assertRejects(() => writeFileAtomically(`${folder}/none`, "x.json", ""), WriteError, "no such folder");
    assertEquals(listing(folder), ["x.json"]);
  });
});

Deno.test("saves at the same time leave one of them, whole, with its files", async () => {
  await withFolder(async (folder) => {
    for (let round = 0; round < 12; round++) {
      await Promise.all([16, 16, 32, 99].map((maxShardSize, i) =>
        writeCheckpoint(folder, tensors(4 * round + i), {
          maxShardSize,
          files: { "config.json": String(4 * round + i), "same.json": "{}" },
        })
      ));
      const saved = Number(await Deno.readTextFile(`${folder}/config.json`));
      assert(saved >= 4 * round, String(saved));
      assertEquals(await readCheckpoint(folder), tensors(saved));
      const names = listing(folder), shards = [3, 3, 2, 1][saved % 4];
      assertEquals(names.length, 2 + shards + Number(shards > 1), names.join());
    }
  });
});

Deno.test("a save that finds the disk full leaves the old checkpoint and nothing else", async () => {
  if (Deno.build.os === "windows") return console.log("not tested: it needs a shell that limits a file's size");
  await withFolder(async (folder) => {
    const large = (n: number) => new Map([["a", value(n, 1000)], ["b", value(n, 100_000)]]);
    const files = { "config.json": "{}" };
    await writeCheckpoint(`${folder}/model`, large(1), { files });
    const before = listing(`${folder}/model`);
    const module = (path: string) => JSON.stringify(import.meta.resolve(path));
    await Deno.writeTextFile(
      `${folder}/save.ts`,
      `import { writeCheckpoint } from ${module("../../src/checkpoint/mod.ts")};
       import { Tensor } from ${module("../../src/tensor/mod.ts")};
       const value = (size) => new Tensor("float32", [size], new Float32Array(size).fill(2));
       const tensors = new Map([["a", value(1000)], ["b", value(100_000)]]);
       for (const maxShardSize of [1e6, 5e3]) {
         const files = { "config.json": "{ }" };
         await writeCheckpoint(Deno.args[0], tensors, { maxShardSize, files }).catch(({ message }) => console.log(message));
       }`,
    );
    // A file may have 100 blocks of 512 bytes; what is written beyond fails as on a full disk.
    const limited = `trap "" XFSZ; ulimit -f 100; exec "$0" run --no-check --no-config -A "$1/save.ts" "$1/model"`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", limited, Deno.execPath(), folder] }).output();
    assertEquals(new TextDecoder().decode(stdout).trim().split("\n").length, 2, new TextDecoder().decode(stdout));
    assertEquals(listing(`${folder}/model`), before);
    assertEquals(await readCheckpoint(`${folder}/model`), large(1));
    assertEquals(await Deno.readTextFile(`${folder}/model/config.json`), "{}");
  });
});
