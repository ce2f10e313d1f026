// Every shape of kernel, also those for devices that are not here, against the oracle on awkward sizes.
import { assertEquals } from "@std/assert";
import { loadWithProfile, type ProfileName, report } from "../../../backends/webgpu/mod.ts";
import { type Backend, type Graph, GraphBuilder, type Sizes, type Value } from "../../../src/graph/mod.ts";
import {
  add,
  attention,
  gather,
  layerNormalization,
  linear,
  matmul,
  reduceMax,
  reduceMean,
  reduceSum,
  softmax,
  topK,
  transpose,
} from "../../../src/operators/mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import type { Bounded } from "../../conformance/bounds.ts";
import { assertWithin } from "../../conformance/closeness.ts";
import { edgeConformance } from "../../conformance/edge_cases.ts";
import { execute, memorySource } from "../../conformance/execute.ts";
import { GuardedRun } from "../../conformance/guarded_run.ts";
import { rowLengthProofs } from "../../conformance/row_lengths.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { int64, numbers } from "../../conformance/repeatable_numbers.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { evaluate } from "../../conformance/oracle.ts";

const { ceiling } = accuracies.webgpu;
const profiles: ProfileName[] = ["soft", "soft-nosg", "gpu", "gpu-sg"];

/** A program with what it is given: every profile's kernels run it. */
interface KernelCase {
  readonly graph: Graph;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly parameters?: Readonly<Record<string, Tensor>>;
  readonly sizes?: Sizes;
}

/** What a case's results are and how far off each may be, found once for all profiles. */
const expectations = new Map<KernelCase, Record<string, Bounded>>();

async function check(backend: Backend, kernelCase: KernelCase): Promise<void> {
  const { graph, tensors, parameters, sizes } = kernelCase;
  let expected = expectations.get(kernelCase);
  if (!expected) expectations.set(kernelCase, expected = evaluate(graph, { ...tensors, ...parameters }, { sizes }));
  const { y } = await execute(backend, graph, tensors, sizes, parameters);
  const shapes = Object.values(tensors).map(({ shape }) => `[${shape}]`).join(" ");
  assertWithin(y, expected.y, ceiling, `${graph.nodes.at(-1)!.operator.name} of ${shapes}`);
}

/** Products with a packed weight, of few rows and many, and with what a kernel does to its result at once. */
function linearCases(K: number, N: number): KernelCase[] {
  const builder = new GraphBuilder("linear");
  const x = builder.input("x", "float32", ["M", K]);
  const residual = builder.input("residual", "float32", ["M", N]);
  const bias = builder.parameter("bias", [N]);
  const product = linear(x, builder.parameter("weight", [N, K]), { bias, activation: "relu" });
  builder.output("y", add(residual, product));
  const graph = builder.build();
  const parameters = { weight: numbers(1, N, K), bias: numbers(2, N) };
  return [1, 2, 3, 7, 8, 9, 197].map((M) => (
    { graph, tensors: { x: numbers(3, M, K), residual: numbers(4, M, N) }, parameters, sizes: { M } }
  ));
}

/** Products whose sums with another value are normalised, by the product's own kernel or after it, far from zero too. */
function normalizedCases(K: number, N: number): KernelCase[] {
  const builder = new GraphBuilder("normalized");
  const x = builder.input("x", "float32", ["M", K]);
  const residual = builder.input("residual", "float32", ["M", N]);
  const product = linear(x, builder.parameter("weight", [N, K]), { bias: builder.parameter("bias", [N]) });
  const [scale, shift] = ["scale", "shift"].map((name) => builder.parameter(name, [N]));
  const normalized = layerNormalization(add(residual, product), { scale, bias: shift, epsilon: 1e-3 });
  builder.output("y", add(normalized, residual));
  const graph = builder.build();
  const parameters = {
    weight: numbers(1, N, K),
    bias: new Tensor("float32", [N], new Float32Array(N).fill(500)),
    scale: numbers(2, N),
    shift: numbers(5, N),
  };
  return [1, 2, 3, 9].map((M) => (
    { graph, tensors: { x: numbers(3, M, K), residual: numbers(4, M, N) }, parameters, sizes: { M } }
  ));
}

/** An operator on numbers in [-1, 1). */
function caseOf(shapes: Readonly<Record<string, readonly number[]>>, build: (...values: Value[]) => Value): KernelCase {
  const builder = new GraphBuilder("operator");
  const names = Object.keys(shapes);
  builder.output("y", build(...names.map((name) => builder.input(name, "float32", shapes[name]))));
  const tensors = Object.fromEntries(names.map((name, i) => [name, numbers(i, ...shapes[name])]));
  return { graph: builder.build(), tensors };
}

/** Of two rows, the lengths. */
const lengths = (S: number) => new Tensor("int64", [2], BigInt64Array.of(BigInt(Math.ceil(S / 2)), BigInt(S)));

/** Products of operands that are contiguous along either axis, with rows of any length. */
function turnedProducts(): KernelCase[] {
  const turn = (value: Value) => transpose(value, { permutation: [0, 2, 1] });
  const both = [false, true];
  return [[9, 21, 68], [33, 132, 17], [20, 64, 64], [14, 70, 197]].flatMap(([M, N, K]) =>
    both.flatMap((left) =>
      both.map((right) => {
        const shapes = { a: left ? [2, K, M] : [2, M, K], b: right ? [2, N, K] : [2, K, N] };
        return caseOf(shapes, (a, b) => {
          const [x, y] = [left ? turn(a) : a, right ? turn(b) : b];
          // Turned around once more: the copies are shared.
          return add(matmul(x, y), turn(matmul(turn(y), turn(x))));
        });
      })
    )
  );
}

/** Attention, lines that are normalised or searched, and products of two values. */
function operatorCases(): KernelCase[] {
  // The fifth has so many positions that a GPU's workgroups share them.
  const attentions = [[1, 1, 1], [1, 197, 64], [2, 280, 64], [3, 9, 5], [33, 33, 64], [2, 700, 8], [17, 40, 12], [
    70,
    3,
    130,
  ]]
    .flatMap(
      ([T, S, D]) => {
        const shapes = { q: [2, 3, T, D], k: [2, 3, S, D], v: [2, 3, S, D] };
        return [
          caseOf(shapes, (q, k, v) => attention(q, k, v)),
          caseOf(shapes, (q, k, v) => attention(q, k, v, { causal: true })),
          caseOf({ ...shapes, mask: [2, 1, 1, S] }, (q, k, v, mask) => attention(q, k, v, { mask, causal: true })),
          // A row has its queries' own keys at least. Wide heads take long to compile.
          ...(D < 100
            ? [caseOf(shapes, (q, k, v) => {
              return attention(q, k, v, { causal: 2 * T <= S, lengths: q.builder.constant(lengths(S)) });
            })]
            : []),
        ];
      },
    );
  const lines = [1, 7, 64, 1025].flatMap((width) => [
    caseOf(
      { x: [5, width], scale: [width], bias: [width] },
      (x, scale, bias) => layerNormalization(x, { scale, bias }),
    ),
    caseOf({ x: [5, width] }, (x) => softmax(x, { axis: 0 })),
    caseOf({ x: [5, width] }, (x) => topK(x, { k: Math.min(width, 40), axis: -1 })[0]),
  ]);
  // A GPU's lanes share lines that are long enough; the longest are cut, and the last has an odd rest.
  const reductions = [[3, 31], [3, 33], [2, 1025], [2, 16_384], [1, 16_385], [2, 70_001]].flatMap((shape) =>
    [reduceSum, reduceMean, reduceMax].map((reduce) => caseOf({ x: shape }, (x) => reduce(x, { axes: [1] })))
  );
  const gapped = [[5, 7, 40], [40, 7, 5]].flatMap((shape) =>
    [reduceSum, reduceMax].flatMap((reduce) => [
      caseOf({ x: shape }, (x) => reduce(x, { axes: [0, 2], keepDimensions: true })),
      caseOf({ x: shape }, (x) => reduce(x, { axes: [0] })),
      caseOf({ x: shape }, (x) => reduce(transpose(x, { permutation: [2, 1, 0] }), { axes: [2, 0] })),
    ])
  );
  const products = [[1, 1, 1], [2, 33, 1], [7, 3, 5], [9, 768, 129], [197, 33, 5]].map(([M, K, N]) =>
    caseOf({ a: [2, M, K], b: [K, N] }, (a, b) => matmul(a, b))
  );
  return [...attentions, ...lines, ...reductions, ...gapped, ...products, ...turnedProducts()];
}

const linears = [1, 3, 33, 768].flatMap((K) => [1, 5, 129].flatMap((N) => linearCases(K, N)));
const normalized = [[192, 64], [5, 192], [64, 256], [33, 320], [64, 62]].flatMap(([K, N]) => normalizedCases(K, N));
const others = operatorCases();

/** Products of one value, which share a kernel; then again after one of the weights was replaced. */
async function checkTogether(backend: Backend, bias: boolean): Promise<void> {
  const [K, widths] = [33, [64, 128, 64]];
  const parameters = Object.fromEntries(widths.flatMap((N, i) => [
    [`weight${i}`, numbers(i, N, K)],
    ...(bias ? [[`bias${i}`, numbers(10 + i, N)]] : []),
  ]));
  const builder = new GraphBuilder("together");
  const x = builder.input("x", "float32", ["M", K]);
  widths.forEach((N, i) => {
    const own = bias ? builder.parameter(`bias${i}`, [N]) : undefined;
    const y = linear(x, builder.parameter(`weight${i}`, [N, K]), { bias: own, activation: "relu" });
    builder.output(`y${i}`, add(y, builder.scalar(1)));
  });
  const graph = builder.build();
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(graph, weights);
  using stream = backend.stream();
  const M = 9;
  const tensors = { x: numbers(20, M, K) };
  const options = { backend, stream, graph, program, tensors, sizes: { M }, before: 0 };
  using guarded = new GuardedRun(options);
  // Written while none is trained, while one of those that lie together is, and while all are.
  for (const [seed, trained] of [[1, []], [30, []], [60, ["weight1"]], [90, Object.keys(parameters)]] as const) {
    await weights.train(trained);
    parameters.weight1 = numbers(seed, widths[1], K);
    await weights.write("weight1", parameters.weight1);
    assertEquals((await weights.read("weight1")).data, parameters.weight1.data);
    stream.enqueue(guarded.run);
    const expected = evaluate(graph, { ...tensors, ...parameters }, { sizes: { M } });
    for (const [name, y] of Object.entries(await guarded.read())) {
      assertWithin(y, expected[name], ceiling, `${name}, weight ${seed}`);
    }
  }
}

/** A table that is a product's weight too: read in the product's layout, and held once. */
async function checkTied(backend: Backend, profile: ProfileName): Promise<void> {
  const [V, K] = [133, 37];
  const parameters = { table: numbers(5, V, K) };
  const builder = new GraphBuilder("tied");
  const ids = builder.input("ids", "int64", [5]);
  const table = builder.parameter("table", [V, K]);
  const rows = gather(table, ids, { axis: 0 });
  builder.output("rows", rows);
  builder.output("logits", linear(rows, table, { activation: "relu" }));
  const graph = builder.build();
  const asked = [0, 63, 64, 132, 500];
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(graph, weights);
  // 37 inputs padded to 40; in panels of 64 outputs, or one output after another.
  assertEquals(backend.counters.weightBytes, 4 * 40 * (profile.startsWith("soft") ? 3 * 64 : V));
  using stream = backend.stream();
  const idsOf = (list: readonly number[]) => new Tensor("int64", [5], int64(...list));
  const options = { backend, stream, graph, program, tensors: { ids: idsOf(asked) }, before: 0 };
  using guarded = new GuardedRun(options);
  // An index out of range takes the nearest entry.
  const nearest = idsOf(asked.map((id) => Math.min(id, V - 1)));
  for (const seed of [5, 6]) {
    const written = numbers(seed, V, K);
    await weights.write("table", written);
    stream.enqueue(guarded.run);
    const expected = evaluate(graph, { ids: nearest, table: written });
    for (const [name, y] of Object.entries(await guarded.read())) {
      assertWithin(y, expected[name], ceiling, `${name}, seed ${seed}`);
    }
  }
}

for (const profile of profiles) {
  Deno.test(`webgpu's ${profile} kernels multiply by packed weights of any size`, async () => {
    await using backend = await loadWithProfile(profile);
    for (const each of linears) await check(backend, each);
    assertEquals(backend.counters.liveHandles, 0);
  });

  Deno.test(`webgpu's ${profile} kernels normalise what products give`, async () => {
    await using backend = await loadWithProfile(profile);
    for (const each of normalized) await check(backend, each);
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
    await checkTied(backend, profile);
    assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [0, 0]);
  });

  Deno.test(`webgpu's ${profile} kernels attend, normalise and select at any size`, async () => {
    await using backend = await loadWithProfile(profile);
    for (const each of others) await check(backend, each);
    assertEquals(backend.counters.liveHandles, 0);
  });
}

for (const profile of profiles) {
  Deno.test(`webgpu's ${profile} kernels find NaN to be the maximum where there is one, as the reference does`, async () => {
    const { load } = await import("../../../backends/reference/mod.ts");
    await using reference = await load();
    await using backend = await loadWithProfile(profile);
    const x = new Tensor("float32", [2, 5000], new Float32Array(10_000).fill(Infinity));
    for (const at of [4998, 7000]) x.data[at] = NaN;
    const builder = new GraphBuilder("maximum");
    builder.output("y", reduceMax(builder.input("x", "float32", x.shape), { axes: [1] }));
    const graph = builder.build();
    for (const each of [reference, backend]) assertEquals([...(await execute(each, graph, { x })).y.data], [NaN, NaN]);
    const infinities = new Tensor("float32", [2, 5000], new Float32Array(10_000).fill(-Infinity));
    infinities.data[7000] = -3;
    const found = await execute(backend, graph, { x: infinities });
    assertEquals([...found.y.data], [-Infinity, -3]);
  });
}

for (const profile of ["gpu", "gpu-sg"] as const) {
  const load = () => loadWithProfile(profile);
  rowLengthProofs(`webgpu with ${profile} kernels`, load, ceiling);
  seamProofs(`webgpu with ${profile} kernels`, load, ceiling);
  operatorConformance(`webgpu with ${profile} kernels`, load, accuracies.webgpu);
  edgeConformance(
    `webgpu with ${profile} kernels`,
    load,
    async () => !(await report()).software,
  );
}
