// Every shape of kernel, also those for devices that are not here, against the plain definition on awkward sizes.
import { assertEquals } from "@std/assert";
import { loadWithProfile, type ProfileName, report } from "../../../backends/webgpu/mod.ts";
import { type Backend, type DeviceTensor, GraphBuilder, type Shape, type Value } from "../../../src/graph/mod.ts";
import {
  add,
  attention,
  gather,
  layerNormalization,
  linear,
  matmul,
  reduceMax,
  softmax,
  topK,
} from "../../../src/operators/mod.ts";
import { sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { execute, memorySource } from "../../conformance/execute.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { operatorConformance } from "../../conformance/operators.ts";

const tolerance = 2e-4;
const profiles: ProfileName[] = ["soft", "soft-nosg", "gpu", "gpu-sg"];

/** x [M, K] · weight [N, K]ᵀ + bias, relu, + residual, in float64. */
function plainLinear(x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor): Tensor {
  const [[M, K], [N]] = [x.shape, weight.shape];
  const data = new Float32Array(M * N);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = bias.data[n] as number;
      for (let k = 0; k < K; k++) sum += (x.data[m * K + k] as number) * (weight.data[n * K + k] as number);
      data[m * N + n] = Math.max(0, sum) + (residual.data[m * N + n] as number);
    }
  }
  return new Tensor("float32", [M, N], data);
}

async function checkLinear(backend: Backend, K: number, N: number): Promise<void> {
  const builder = new GraphBuilder("linear");
  const x = builder.input("x", "float32", ["M", K]);
  const residual = builder.input("residual", "float32", ["M", N]);
  const bias = builder.parameter("bias", [N]);
  const product = linear(x, builder.parameter("weight", [N, K]), { bias, activation: "relu" });
  builder.output("y", add(residual, product));
  const graph = builder.build();
  const parameters = { weight: numbers(1, N, K), bias: numbers(2, N) };
  for (const M of [1, 2, 3, 7, 8, 9, 197]) {
    const tensors = { x: numbers(3, M, K), residual: numbers(4, M, N) };
    const { y } = await execute(backend, graph, tensors, { M }, parameters);
    const expected = plainLinear(tensors.x, parameters.weight, parameters.bias, tensors.residual);
    assertClose(y, expected, tolerance, `M ${M}, K ${K}, N ${N}`);
  }
}

/** Products of one value, which share a kernel; then again after one of the weights was replaced. */
async function checkTogether(backend: Backend, bias: boolean): Promise<void> {
  const [K, widths] = [33, [64, 128, 64]];
  const parameters = Object.fromEntries(widths.flatMap((N, i) => [
    [`weight${i}`, numbers(i, N, K)],
    [`bias${i}`, bias ? numbers(10 + i, N) : new Tensor("float32", [N], new Float32Array(N))],
  ]));
  const builder = new GraphBuilder("together");
  const x = builder.input("x", "float32", ["M", K]);
  widths.forEach((N, i) => {
    const own = bias ? builder.parameter(`bias${i}`, [N]) : undefined;
    const y = linear(x, builder.parameter(`weight${i}`, [N, K]), { bias: own, activation: "relu" });
    builder.output(`y${i}`, add(y, builder.scalar(1)));
  });
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(builder.build(), weights);
  using stack = new DisposableStack();
  const stream = stack.use(backend.stream());
  const M = 9;
  const tensors = { x: stack.use(backend.allocate("float32", [M, K])) } as Record<string, DeviceTensor>;
  widths.forEach((N, i) => tensors[`y${i}`] = stack.use(backend.allocate("float32", [M, N])));
  const values = numbers(20, M, K);
  stream.write(tensors.x, values.data);
  using run = program.bind(tensors, { M });
  // Written while none is trained, while one of those that lie together is, and while all are.
  for (const [seed, trained] of [[1, []], [30, []], [60, ["weight1"]], [90, Object.keys(parameters)]] as const) {
    await weights.train(trained);
    parameters.weight1 = numbers(seed, widths[1], K);
    await weights.write("weight1", parameters.weight1);
    assertEquals((await weights.read("weight1")).data, parameters.weight1.data);
    stream.enqueue(run);
    for (const [i, N] of widths.entries()) {
      const ones = new Tensor("float32", [M, N], new Float32Array(M * N).fill(1));
      const expected = plainLinear(values, parameters[`weight${i}`], parameters[`bias${i}`], ones);
      assertClose(await stream.read(tensors[`y${i}`]), expected, tolerance, `product ${i}, weight ${seed}`);
    }
  }
}

/** A table that is a product's weight too: read in the product's layout, and held once. */
async function checkTied(backend: Backend): Promise<void> {
  const [V, K] = [133, 37];
  const parameters = { table: numbers(5, V, K) };
  const builder = new GraphBuilder("tied");
  const ids = builder.input("ids", "int64", [5]);
  const table = builder.parameter("table", [V, K]);
  const rows = gather(table, ids, { axis: 0 });
  builder.output("rows", rows);
  builder.output("logits", linear(rows, table, { activation: "relu" }));
  const asked = [0, 63, 64, 132, 500];
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(builder.build(), weights);
  // Panels of 64 outputs, 37 inputs padded to 40.
  assertEquals(backend.counters.weightBytes, 4 * 3 * 64 * 40);
  using stack = new DisposableStack();
  const stream = stack.use(backend.stream());
  const tensors = {
    ids: stack.use(backend.allocate("int64", [5])),
    rows: stack.use(backend.allocate("float32", [5, K])),
    logits: stack.use(backend.allocate("float32", [5, V])),
  };
  stream.write(tensors.ids, BigInt64Array.from(asked, BigInt));
  using run = program.bind(tensors);
  for (const seed of [5, 6]) {
    const written = numbers(seed, V, K);
    await weights.write("table", written);
    stream.enqueue(run);
    // An index out of range takes the nearest entry.
    const entries = asked.flatMap((id) => [...written.data.subarray(Math.min(id, V - 1) * K).subarray(0, K)]);
    const expected = new Tensor("float32", [5, K], Float32Array.from(entries as number[]));
    assertEquals((await stream.read(tensors.rows)).data, expected.data);
    const [bias, residual] = [[V], [5, V]].map((shape) =>
      new Tensor("float32", shape, new Float32Array(sizeOf(shape)))
    );
    const product = plainLinear(expected, written, bias, residual);
    assertClose(await stream.read(tensors.logits), product, tolerance, `seed ${seed}`);
  }
}

/** The same graph, its composites decomposed by the reference backend. */
async function checkAgainstReference(
  backend: Backend,
  reference: Backend,
  shapes: Readonly<Record<string, Shape>>,
  build: (values: readonly Value[]) => Value,
): Promise<void> {
  const builder = new GraphBuilder("case");
  const names = Object.keys(shapes);
  builder.output("y", build(names.map((name) => builder.input(name, "float32", shapes[name]))));
  const graph = builder.build();
  const tensors = Object.fromEntries(names.map((name, i) => [name, numbers(i, ...shapes[name].map(Number))]));
  const [actual, expected] = [await execute(backend, graph, tensors), await execute(reference, graph, tensors)];
  assertClose(actual.y, expected.y, tolerance, JSON.stringify(shapes));
}

for (const profile of profiles) {
  Deno.test(`webgpu's ${profile} kernels multiply by packed weights of any size`, async () => {
    await using backend = await loadWithProfile(profile);
    for (const K of [1, 3, 33, 768]) for (const N of [1, 5, 129]) await checkLinear(backend, K, N);
    assertEquals(backend.counters.liveHandles, 0);
  });

  Deno.test(`webgpu's ${profile} kernels multiply one value by several weights together`, async () => {
    await using backend = await loadWithProfile(profile);
    for (const bias of [true, false]) await checkTogether(backend, bias);
    assertEquals(backend.counters.liveHandles, 0);
    assertEquals(backend.counters.weightBytes, 0);
  });

  Deno.test(`webgpu's ${profile} kernels read a table in the layout of the product that has it as its weight`, async () => {
    await using backend = await loadWithProfile(profile);
    await checkTied(backend);
    assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [0, 0]);
  });

  Deno.test(`webgpu's ${profile} kernels attend, normalise and select at any size`, async () => {
    const { load } = await import("../../../backends/reference/mod.ts");
    await using reference = await load();
    await using backend = await loadWithProfile(profile);
    const check = (shapes: Readonly<Record<string, Shape>>, build: (values: readonly Value[]) => Value) =>
      checkAgainstReference(backend, reference, shapes, build);
    for (const [T, S, D] of [[1, 1, 1], [1, 197, 64], [3, 9, 5], [33, 33, 64], [17, 40, 12], [70, 3, 130]]) {
      const shapes = { q: [2, 3, T, D], k: [2, 3, S, D], v: [2, 3, S, D] };
      await check(shapes, ([q, k, v]) => attention(q, k, v));
      await check(shapes, ([q, k, v]) => attention(q, k, v, { causal: true }));
      await check({ ...shapes, mask: [2, 1, 1, S] }, ([q, k, v, mask]) => attention(q, k, v, { mask, causal: true }));
    }
    for (const width of [1, 7, 64, 1025]) {
      const shapes = { x: [5, width], scale: [width], bias: [width] };
      await check(shapes, ([x, scale, bias]) => layerNormalization(x, { scale, bias }));
      await check({ x: [5, width] }, ([x]) => softmax(x, { axis: 0 }));
      await check({ x: [5, width] }, ([x]) => topK(x, { k: Math.min(width, 40), axis: -1 })[0]);
    }
    for (const [M, K, N] of [[1, 1, 1], [2, 33, 1], [7, 3, 5], [9, 768, 129], [197, 33, 5]]) {
      await check({ a: [2, M, K], b: [K, N] }, ([a, b]) => matmul(a, b));
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}

Deno.test("webgpu finds NaN to be the maximum where there is one, as the reference does", async () => {
  const { load } = await import("../../../backends/reference/mod.ts");
  await using reference = await load();
  await using backend = await loadWithProfile();
  const x = new Tensor("float32", [2, 5000], new Float32Array(10_000).fill(Infinity));
  for (const at of [4998, 7000]) x.data[at] = NaN;
  const builder = new GraphBuilder("maximum");
  builder.output("y", reduceMax(builder.input("x", "float32", x.shape), { axes: [1] }));
  const graph = builder.build();
  for (const each of [reference, backend]) assertEquals([...(await execute(each, graph, { x })).y.data], [NaN, NaN]);
});

for (const profile of ["gpu"] as const) {
  operatorConformance(`webgpu with ${profile} kernels`, () => loadWithProfile(profile), { ceiling: tolerance });
  edgeConformance(
    `webgpu with ${profile} kernels`,
    () => loadWithProfile(profile),
    async () => !(await report()).software,
  );
}
