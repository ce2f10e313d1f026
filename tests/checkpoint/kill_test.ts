// Saves that are killed with SIGKILL at 30 moments: the folder holds a whole checkpoint each time, never a mixture, and
// every file of it is whole. Only between the renames of a changed config.json and of the weights, some microseconds, may
// the one be newer than the other.
import { assert, assertEquals } from "@std/assert";
import { readCheckpoint } from "../../src/checkpoint/mod.ts";

const names = 24, length = 40_000; // 3.8 MB

/** Saves one version after the other until it is killed: a single file, shards, shards of another size, … */
const program = `
import { writeCheckpoint } from ${JSON.stringify(import.meta.resolve("../../src/checkpoint/mod.ts"))};
import { Tensor } from ${JSON.stringify(import.meta.resolve("../../src/tensor/mod.ts"))};

// Slow enough that kills land between two renames, which take microseconds by themselves.
for (const name of ["rename", "remove"]) {
  const run = Deno[name];
  Deno[name] = async (...args) => {
    await run(...args);
    await new Promise((resolve) => setTimeout(resolve, 4));
  };
}
const [folder, first] = [Deno.args[0], Number(Deno.args[1])];
for (let version = first;; version++) {
  const data = new Float32Array(${length}).fill(version);
  const tensors = new Map(Array.from({ length: ${names} }, (_, i) => ["w" + i, new Tensor("float32", [${length}], data)]));
  const files = { "config.json": JSON.stringify({ version }) + " ".repeat(2000), "generation_config.json": "{}" };
  await writeCheckpoint(folder, tensors, { maxShardSize: [1e9, 1e6, 1e6, 5e5, 5e5][version % 5], files });
  console.log(version);
}
`;

Deno.test("a save killed at any moment leaves a whole checkpoint", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const script = `${folder}/save.ts`, target = `${folder}/model`;
    await Deno.writeTextFile(script, program);
    let version = 0;
    const seen = new Set<number>();
    for (let moment = 0; moment < 30; moment++) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", "--no-config", "-A", script, target, String(version)],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const saved = readVersions(child.stdout);
      await saved.first; // at least one save is done, so there is a checkpoint to keep whole
      await new Promise((resolve) => setTimeout(resolve, (moment * 17) % 200));
      child.kill("SIGKILL");
      await child.status;
      const last = await saved.last;

      const tensors = await readCheckpoint(target);
      assertEquals(tensors.size, names);
      const values = new Set<number>();
      for (const { data } of tensors.values()) {
        assertEquals(data.length, length);
        for (const value of data) values.add(Number(value));
      }
      assertEquals(values.size, 1, `moment ${moment} left a mixture of ${[...values]}`);
      const [found] = values;
      assert(found === last || found === last + 1, `moment ${moment}: ${found} after ${last} was saved`);
      const text = await Deno.readTextFile(`${target}/config.json`);
      const { version: configured } = JSON.parse(text);
      assert(text.length > 2000 && (configured === found || configured === last + 1), `${configured} with ${found}`);
      assertEquals(await Deno.readTextFile(`${target}/generation_config.json`), "{}");
      seen.add(found);
      version = last + 1;
    }
    assert(seen.size > 20, `${seen.size} versions`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Follow the numbers that a child prints: when the first comes, and which is the last. */
function readVersions(stream: ReadableStream<Uint8Array>): { first: Promise<void>; last: Promise<number> } {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const last = (async () => {
    let text = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("\n")) resolve();
    }
    return Number(text.trim().split("\n").at(-1));
  })();
  return { first, last };
}
