// Sizes beyond what one loop, one dispatch or one binding can do: each is done in parts, and the parts must meet.
import { assertEquals, assertThrows } from "@std/assert";
import { load } from "../../../backends/webgpu/mod.ts";
import { WebGpuError } from "../../../src/errors/mod.ts";
import { type Backend, GraphBuilder, type Value } from "../../../src/graph/mod.ts";
import {
  add,
  argMax,
  cumulativeSum,
  gather,
  linear,
  matmul,
  reduceMax,
  reduceSum,
  scatterAdd,
  softmax,
} from "../../../src/operators/mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import { execute, memorySource } from "../../conformance/execute.ts";

/** float32 from a function of the index. */
function tensorOf(shape: number[], value: (i: number) => number): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = value(i);
  return new Tensor("float32", shape, data);
}

/** Run an operator on inputs. */
async function compute(backend: Backend, inputs: Tensor[], build: (values: Value[]) => Value): Promise<Tensor> {
  const builder = new GraphBuilder("case");
  const values = inputs.map(({ dataType, shape }, i) => builder.input(`x${i}`, dataType, shape));
  builder.output("y", build(values));
  const tensors = Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor]));
  return (await execute(backend, builder.build(), tensors)).y;
}

Deno.test("webgpu adds more elements than 65,535 workgroups hold", async () => {
  await using backend = await load();
  const x = tensorOf([4_300_003], (i) => i % 1021);
  const { data } = await compute(backend, [x], ([a]) => add(a, a));
  assertEquals(data.every((value, i) => value === 2 * (i % 1021)), true);
});

Deno.test("webgpu treats more lines than 65,535 workgroups", async () => {
  await using backend = await load();
  const x = tensorOf([66_000, 3], (i) => Math.floor(i / 3) % 3 === i % 3 ? 1000 : 0);
  const soft = await compute(backend, [x], ([a]) => softmax(a, { axis: -1 }));
  assertEquals(soft.data.every((value, i) => value === (x.data[i] === 0 ? 0 : 1)), true);
  const places = await compute(backend, [x], ([a]) => argMax(a, { axis: -1 }));
  assertEquals([...places.data].every((place, row) => Number(place) === row % 3), true);
});

Deno.test("webgpu reduces and sums up lines longer than a loop may be", async () => {
  await using backend = await load();
  // Whole numbers below 2²⁴ are exact in float32 however they are added.
  const x = tensorOf([3_000_001], (i) => i === 2_999_999 ? 7 : i % 5);
  const total = (x.data as Float32Array).reduce((a, b) => a + b, 0);
  assertEquals((await compute(backend, [x], ([a]) => reduceSum(a, { axes: [0] }))).data[0], total);
  assertEquals((await compute(backend, [x], ([a]) => reduceMax(a, { axes: [0] }))).data[0], 7);
  const line = tensorOf([70_001], (i) => i % 3);
  for (const reversed of [false, true]) {
    const { data } = await compute(backend, [line], ([a]) => cumulativeSum(a, { axis: 0, reversed }));
    let sum = 0;
    const wrong = [...line.data.keys()].map((i) => reversed ? 70_000 - i : i).find((i) =>
      data[i] !== (sum += line.data[i] as number)
    );
    assertEquals(wrong, undefined);
  }
});

Deno.test("webgpu multiplies over an inner dimension longer than a loop may be", async () => {
  await using backend = await load();
  const [a, b] = [tensorOf([2, 70_001], (i) => i % 3), tensorOf([70_001, 3], (i) => i % 2)];
  const { data } = await compute(backend, [a, b], ([x, y]) => matmul(x, y));
  for (let at = 0; at < 6; at++) {
    let sum = 0;
    for (let k = 0; k < 70_001; k++) {
      sum += (a.data[Math.floor(at / 3) * 70_001 + k] as number) * (b.data[k * 3 + at % 3] as number);
    }
    assertEquals(data[at], sum);
  }
});

Deno.test("webgpu scatters more entries than a loop may take", async () => {
  await using backend = await load();
  const indices = new Tensor("int64", [70_001], BigInt64Array.from({ length: 70_001 }, (_, i) => BigInt(i % 7)));
  const updates = tensorOf([70_001, 2], (i) => i % 2 + 1);
  const { data } = await compute(backend, [indices, updates], ([i, u]) => scatterAdd(i, u, { size: 9 }));
  assertEquals([...data], [...Array(18).keys()].map((i) => i >= 14 ? 0 : (i < 2 ? 10_001 : 10_000) * (i % 2 + 1)));
});

Deno.test("webgpu refuses at bind a loop that the device would cut short", async () => {
  await using backend = await load();
  const builder = new GraphBuilder("too long");
  builder.output("y", softmax(builder.input("x", "float32", [1, "T"]), { axis: -1 }));
  using weights = await backend.open(memorySource());
  using program = await backend.compile(builder.build(), weights);
  using x = backend.allocate("float32", [1, 2_000_000]);
  using y = backend.allocate("float32", [1, 2_000_000]);
  const before = backend.counters.liveHandles;
  assertThrows(() => program.bind({ x, y }, { T: 2_000_000 }), WebGpuError, "iterations");
  assertEquals(backend.counters.liveHandles, before);
});

Deno.test("webgpu multiplies by and reads from a weight larger than a binding", async () => {
  // 134.2 MB against the 128 MiB that a binding may have on the software adapter.
  const [entries, width] = [524_416, 64];
  const table = tensorOf([entries, width], (i) => ((i >> 6) * 7 + (i & 63) * 3) % 11 - 5);
  await using backend = await load();
  const builder = new GraphBuilder("head");
  const weight = builder.parameter("table", [entries, width]);
  const ids = builder.input("ids", "int64", [4]);
  const rows = gather(weight, ids, { axis: 0 });
  builder.output("rows", rows);
  builder.output("logits", linear(rows, weight));
  const asked = [0, 524_287, 524_288, entries - 1];
  const tensors = { ids: new Tensor("int64", [4], BigInt64Array.from(asked, BigInt)) };
  const found = await execute(backend, builder.build(), tensors, {}, { table });
  asked.forEach((id, i) => {
    const row = table.data.subarray(id * width, (id + 1) * width);
    assertEquals(found.rows.data.subarray(i * width, (i + 1) * width), row as never);
    for (const n of [0, 1, 63, 64, 262_143, 524_223, 524_287, 524_288, 524_300, entries - 1]) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += (row[k] as number) * (table.data[n * width + k] as number);
      assertEquals(found.logits.data[i * entries + n], sum);
    }
  });
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("webgpu reads a table of few entries, each too wide for 64 to fit into a binding", async () => {
  await using backend = await load();
  const table = tensorOf([3, 600_001], (i) => i % 1013);
  const builder = new GraphBuilder("wide");
  builder.output("y", gather(builder.parameter("table", table.shape), builder.input("ids", "int64", [1]), { axis: 0 }));
  const ids = new Tensor("int64", [1], BigInt64Array.of(2n));
  const { y } = await execute(backend, builder.build(), { ids }, {}, { table });
  assertEquals(y.data, table.data.subarray(2 * 600_001) as never);
});
