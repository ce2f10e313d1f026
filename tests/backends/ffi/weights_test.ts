import { assert, assertEquals, assertRejects } from "@std/assert";
import { load } from "../../../backends/ffi/mod.ts";
import type { FfiWeights } from "../../../backends/ffi/weights.ts";
import { HubError, ShapeError } from "../../../src/errors/mod.ts";
import { type DataType, Tensor } from "../../../src/tensor/mod.ts";
import { deno } from "../../cli/command_process.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { assertClose, assertWithin } from "../../conformance/closeness.ts";
import { memorySource } from "../../conformance/execute.ts";
import { costFlags } from "../../process_cost.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { Files, multiply, runner } from "./weight_files.ts";

const { ceiling } = accuracies.ffi;

Deno.test("ffi reads weights from several files, in several folders, at any offset", async () => {
  await using files = new Files();
  const [here, there] = [await files.folder(), await files.folder()];
  const matrices = { a: numbers(1, 24, 16), b: numbers(2, 40, 24), c: numbers(3, 8, 40) };
  await files.put("a", matrices.a, `${here}/one.safetensors`, 64);
  await files.put("b", matrices.b, `${here}/two.bin`, 13);
  await files.put("c", matrices.c, `${there}/three.safetensors`, 8);
  const x = numbers(4, 1, 16);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using run = await runner(backend, weights, files, ["a", "b", "c"], x);
    assertWithin(await run(), multiply(x, matrices.a, matrices.b, matrices.c), ceiling, "y");
    assertEquals(backend.counters.weightBytes, 4 * (24 * 16 + 40 * 24 + 8 * 40));
  }
  assertEquals(backend.counters.liveHandles, 0);
  assertEquals(backend.counters.weightBytes, 0);
});

// For each choice of `lowMemory`, how many copies of large weights there are when a program has run once, when it runs again, and
// when a second program reads the same weights.
const copies = [[null, [0, 1, 1]], [false, [1, 1, 1]], [true, [0, 0, 0]]] as const;
for (const [lowMemory, expected] of copies) {
  Deno.test({
    name: `ffi has ${expected.join(", then ")} packed copies of large weights with lowMemory ${lowMemory}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      // In a process of its own, as what the library holds is seen from outside only.
      const script = new URL("weights_memory.ts", import.meta.url).href;
      const { code, stdout, stderr } = await deno([costFlags, script, JSON.stringify(lowMemory)]);
      assertEquals(code, 0, stderr);
      const { once, again, both, weightBytes, bytes } = JSON.parse(stdout);
      assertEquals(weightBytes, bytes);
      const found = [once, again, both].map((own) => Math.max(0, Math.round(own / bytes)));
      assertEquals(found, [...expected], stdout);
    },
  });
}

Deno.test("ffi releases a program and its weights while packed copies are made of them", async () => {
  await using files = new Files();
  const width = 3072;
  await files.put("large", numbers(5, width, width), `${await files.folder()}/model.safetensors`, 8);
  const x = numbers(6, 1, width);
  await using backend = await load();
  const weights = await backend.open(files);
  const run = await runner(backend, weights, files, ["large"], x);
  const first = await run();
  const second = run();
  run[Symbol.dispose]();
  weights[Symbol.dispose]();
  assertClose(await second, first, 1e-6, "the run that waits for the copies");
  assertEquals(backend.counters.liveHandles, 0);
  assertEquals(backend.counters.weightBytes, 0);
});

Deno.test("ffi goes on without packed copies where the weights' file is gone when they would be made", async () => {
  await using files = new Files();
  const width = 3072;
  const path = `${await files.folder()}/model.safetensors`;
  await files.put("large", numbers(5, width, width), path, 8);
  const x = numbers(6, 1, width);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using run = await runner(backend, weights, files, ["large"], x);
    const first = await run();
    await Deno.remove(path);
    for (let again = 0; again < 2; again++) assertClose(await run(), first, 0, "a run without the file's name");
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi widens half-precision weights exactly, whatever their place", async () => {
  const half = { float16: new Float16Array(48), bfloat16: new Uint16Array(48) };
  const values = Array.from({ length: 48 }, (_, i) => (i - 20) / 16);
  half.float16.set(values);
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  half.bfloat16.set(Array.from(bits, (word) => word >>> 16));
  const x = numbers(9, 1, 8);
  const expected = multiply(x, new Tensor("float32", [6, 8], Float32Array.from(values)));
  await using backend = await load();
  for (const dataType of ["float16", "bfloat16"] as const satisfies DataType[]) {
    const source = memorySource({ weight: new Tensor(dataType, [6, 8], half[dataType]) });
    using weights = await backend.open(source);
    using run = await runner(backend, weights, source, ["weight"], x);
    assertWithin(await run(), expected, ceiling, dataType);
    assertEquals(backend.counters.weightBytes, 4 * 48);
    assertEquals((await weights.read("weight")).dataType, "float32");
  }
});

Deno.test("ffi takes a parameter's new value, also where programs read the old one from a file", async () => {
  await using files = new Files();
  const [a, b] = [numbers(10, 8, 8), numbers(11, 8, 8)];
  const folder = await files.folder();
  await files.put("a", a, `${folder}/a.bin`, 0);
  await files.put("b", b, `${folder}/b.bin`, 0);
  const x = numbers(12, 1, 8);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using both = await runner(backend, weights, files, ["a", "b"], x);
    using first = await runner(backend, weights, files, ["a"], x);
    assertWithin(await both(), multiply(x, a, b), ceiling, "as stored");
    const fresh = numbers(13, 8, 8);
    await weights.write("a", fresh);
    assertWithin(await both(), multiply(x, fresh, b), ceiling, "with a new value");
    assertWithin(await first(), multiply(x, fresh), ceiling, "in the other program");
    assertClose(await weights.read("a"), fresh, 0, "the parameter");
    await weights.write("a", a);
    assertWithin(await both(), multiply(x, a, b), ceiling, "as before");
    assertEquals(backend.counters.weightBytes, 2 * 256);
    await assertRejects(() => weights.write("a", numbers(1, 4, 8)), ShapeError, '"a"');
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi reads weights from the file that replaced theirs once it is told so, and refuses to before", async () => {
  await using files = new Files();
  const [a, b] = [numbers(14, 8, 8), numbers(15, 8, 8)];
  const path = `${await files.folder()}/model.safetensors`;
  await files.put("a", a, path, 8);
  const x = numbers(16, 1, 8);
  await using backend = await load();
  {
    using weights = await backend.open(files);
    using first = await runner(backend, weights, files, ["a"], x);
    using second = await runner(backend, weights, files, ["a"], x); // reads it mapped, as the first does now
    const old = files.get("a")!;
    await files.put("b", b, path, 40);
    files.set("a", old);
    await assertRejects(() => runner(backend, weights, files, ["a"], x), HubError, "changed or replaced");
    using third = await runner(backend, weights, files, ["b"], x);
    using fourth = await runner(backend, weights, files, ["b"], x);
    for (const run of [first, second]) assertWithin(await run(), multiply(x, a), ceiling, "of the old file");
    for (const run of [third, fourth]) assertWithin(await run(), multiply(x, b), ceiling, "of the new file");
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ffi compiles programs on other parameters at once, and on the same ones in turn", async () => {
  await using backend = await load();
  const source = memorySource({ a: numbers(1, 2, 2), b: numbers(2, 2, 2) });
  using weights = await backend.open(source) as FfiWeights;
  const events: string[] = [];
  const compile = (label: string, name: string) =>
    weights.exclusively(new Set([name]), async () => {
      events.push(`${label} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      events.push(`${label} ends`);
      if (label === "a1") throw new Error("a failure that does not hold up the others");
    });
  const [failed] = await Promise.allSettled([compile("a1", "a"), compile("b", "b"), compile("a2", "a")]);
  assertEquals(failed.status, "rejected");
  assertEquals(events.slice(0, 2), ["a1 begins", "b begins"]);
  assert(events.indexOf("a2 begins") > events.indexOf("a1 ends"));
});
