// Programs of float16 weights on devices with shader-f16: caches and what kernels leave for each other have 16 bits a number, sums
// have 32. The same suites run without the feature, where weights alone are float16.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadWithProfile } from "../../../backends/webgpu/mod.ts";
import { type Graph, GraphBuilder, type Value } from "../../../src/graph/mod.ts";
import {
  attention,
  cacheAppend,
  cacheReorder,
  cast,
  concat,
  gelu,
  layerNormalization,
  linear,
  mul,
  pad,
  relu,
  reshape,
  slice,
  transpose,
} from "../../../src/operators/mod.ts";
import { ShapeError } from "../../../src/errors/mod.ts";
import { sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import { assertClose, relativeError } from "../../conformance/closeness.ts";
import { evaluate } from "../../conformance/oracle.ts";
import { execute, memorySource } from "../../conformance/execute.ts";
import { int64, numbers } from "../../conformance/repeatable_numbers.ts";
import { loadInFloat16 } from "./float16_backend.ts";

const profiles = ["soft-nosg", "gpu", "gpu-sg"] as const;

const inHalves = ({ shape, data }: Tensor) =>
  new Tensor("float32", shape, Float32Array.from(data as Float32Array, Math.f16round));

/** A program with its inputs and parameters. */
interface Case {
  readonly name: string;
  readonly graph: Graph;
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly inputs: (M: number) => Readonly<Record<string, Tensor>>;
}

/** A layer of K inputs and N inner ones: its products read what norms, activations and movements left. */
function feedForward(K: number, N: number): Case {
  const builder = new GraphBuilder("feed forward");
  const x = builder.input("x", "float32", ["M", K]);
  const parameters = {
    scale: numbers(1, K),
    bias: numbers(2, K),
    first: numbers(3, N, K),
    gate: numbers(4, N, K),
    last: numbers(5, K, 2 * N + 2),
  };
  const parameter = (name: keyof typeof parameters) => builder.parameter(name, parameters[name].shape);
  const normal = layerNormalization(x, { scale: parameter("scale"), bias: parameter("bias") });
  const [first, gate] = [linear(normal, parameter("first"), { activation: "relu" }), linear(normal, parameter("gate"))];
  const inner = pad(concat([mul(first, gelu(gate)), relu(gate)], { axis: 1 }), { beginning: [0, 1], ending: [0, 1] });
  builder.output("y", linear(inner, parameter("last")));
  return { name: `${K} and ${N}`, graph: builder.build(), parameters, inputs: (M) => ({ x: numbers(6, M, K) }) };
}

/** Self-attention of two heads: queries, keys and values come from one product, or from three where they are odd. */
function selfAttention(D: number): Case {
  const builder = new GraphBuilder("self attention");
  const x = builder.input("x", "float32", ["M", 24]);
  const width = 2 * D;
  const names = ["query", "key", "value"] as const;
  const parameters = Object.fromEntries(names.map((name, i) => [name, numbers(i, width, 24)]));
  const heads = (value: Value) => transpose(reshape(value, { shape: [1, "M", 2, D] }), { permutation: [0, 2, 1, 3] });
  const [query, key, value] = names.map((name) => heads(linear(x, builder.parameter(name, [width, 24]))));
  const all = transpose(attention(query, key, value, { causal: true }), { permutation: [0, 2, 1, 3] });
  const last = builder.parameter("last", [7, width]);
  builder.output("y", linear(reshape(all, { shape: ["M", width] }), last));
  return {
    name: `heads of ${D}`,
    graph: builder.build(),
    parameters: { ...parameters, last: numbers(9, 7, width) },
    inputs: (M) => ({ x: numbers(8, M, 24) }),
  };
}

for (const profile of profiles) {
  Deno.test(`webgpu's ${profile} kernels compute on float16 of any size as in float32`, async () => {
    await using backend = await loadInFloat16(profile);
    await using plain = await loadInFloat16(profile, ["shader-f16"]);
    for (
      const  of of[feedForward(8, 12), feedForward(37, 5), feedForward(64, 129), selfAttention(4), selfAttention(5)]
    ) {
      const { graph, parameters } = of;
      // Products read them rounded; norms do not.
      const rounded = Object.fromEntries(
        Object.entries(parameters).map(([name, value]) => [name, value.shape.length > 1 ? inHalves(value) : value]),
      );
      for (const M of [1, 3, 9, 70]) {
        const expected = evaluate(graph, { ...of.inputs(M), ...rounded }, { sizes: { M } }).y.value;
        const found = await execute(backend, graph, of.inputs(M), { M }, parameters);
        assertClose(found.y, expected, 2e-3, `${of.name}, ${M} rows`);
        const whole = await execute(plain, graph, of.inputs(M), { M }, parameters);
        assertClose(whole.y, expected, 2e-4, `${of.name}, ${M} rows, without shader-f16`);
        assert(relativeError(found.y, expected) > 1e-5, `${of.name}, ${M} rows: nothing is rounded`);
      }
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}

/** Attention over a cache of float16, to which T positions are appended. */
function cached(D: number, ownPositions: boolean): Graph {
  const builder = new GraphBuilder("cached");
  const x = builder.input("x", "float32", ["rows", 2, "T", D]);
  const at = ownPositions ? builder.input("at", "int64", ["rows"]) : "past";
  const [keys, values] = ["keys", "values"].map((name) => {
    const cache = builder.state(name, "float16", ["rows", 2, 12, D]);
    return cast(cacheAppend(cache, cast(x, { dataType: "float16" }), { axis: 2, at }), { dataType: "float32" });
  });
  const { length, ...rest } = ownPositions ? { length: 12 } : { length: "past+T" };
  builder.output("y", attention(x, keys, values, { ...rest, length, causal: !ownPositions }));
  return builder.build();
}

const halves = (seed: number, ...shape: number[]) =>
  new Tensor("float16", shape, Float16Array.from(numbers(seed, ...shape).data as Float32Array));

for (const profile of profiles) {
  Deno.test(`webgpu's ${profile} kernels append to caches of float16, and reorder them`, async () => {
    for (const without of [[], ["shader-f16"]]) {
      await using backend = await loadWithProfile(profile, { without });
      for (const D of [8, 5]) {
        for (const own of [false, true]) {
          for (const T of [1, 3]) {
            const tensors = {
              x: numbers(1, 2, 2, T, D),
              keys: halves(2, 2, 2, 12, D),
              values: halves(3, 2, 2, 12, D),
              ...(own ? { at: new Tensor("int64", [2], int64(4, 7)) } : {}),
            };
            const sizes = { rows: 2, T, past: 6 };
            const graph = cached(D, own);
            const expected = evaluate(graph, tensors, { sizes });
            const found = await execute(backend, graph, tensors, sizes);
            assertClose(found.y, expected.y.value, 2e-3, `heads of ${D}, ${T} positions`);
            for (const name of ["keys", "values"]) {
              assertEquals([...found[name].data], [...expected[name].value.data], `${name} of ${D}, ${T} positions`);
            }
          }
        }
        const builder = new GraphBuilder("reorder");
        const cache = builder.state("cache", "float16", [4, 2, 12, D]);
        const rows = builder.input("rows", "int64", [4]);
        cacheReorder(cache, rows, { axis: 2, length: 7, group: 2 });
        const before = halves(4, 4, 2, 12, D);
        const tensors = { cache: before, rows: new Tensor("int64", [4], int64(1, 0, 3, 3)) };
        const { cache: after } = await execute(backend, builder.build(), tensors);
        const expected = before.data.slice();
        [1, 0, 3, 3].forEach((from, to) => {
          for (const head of [0, 1]) {
            const place = (row: number) => (row * 2 + head) * 12 * D;
            expected.set(before.data.slice(place(from), place(from) + 7 * D) as never, place(to));
          }
        });
        assertEquals(after.data, expected);
      }
      assertEquals(backend.counters.liveHandles, 0);
    }
  });
}

Deno.test("webgpu's tensors of float16 have 2 bytes an element, and are written and copied in words", async () => {
  await using backend = await loadWithProfile("gpu");
  await using plain = await loadWithProfile("gpu", { without: ["shader-f16"] });
  using stream = backend.stream();
  const capacity = [3, 5, 6];
  const before = [backend, plain].map(({ counters }) => counters.deviceBytes);
  using tensor = backend.allocate("float16", capacity);
  using _other = plain.allocate("float16", capacity);
  const bytes = [backend, plain].map(({ counters }, i) => counters.deviceBytes - before[i]);
  assertEquals(bytes, [2, 4].map((each) => 16 * Math.ceil(each * sizeOf(capacity) / 16)));
  const { data } = halves(1, ...capacity);
  stream.write(tensor, data);
  stream.write(tensor, Float16Array.of(7, 8), 2);
  stream.copyRows(tensor, tensor, { rows: [[0, 2]], axis: 1, length: 4 });
  const expected = data.slice();
  expected.set([7, 8] as never, 2);
  expected.set(expected.slice(0, 24) as never, 60);
  assertEquals((await stream.read(tensor)).data, expected);
  assertEquals((await stream.read(tensor, { shape: [7] })).data, expected.slice(0, 7));
  assertThrows(() => stream.write(tensor, Float16Array.of(1, 2), 1), ShapeError, "2 elements of float16 at 1");
  assertThrows(() => stream.write(tensor, Float16Array.of(1), 2), ShapeError, "1 elements of float16 at 2");
  using odd = backend.allocate("float16", [2, 3, 5]);
  stream.write(odd, halves(2, 2, 3, 5).data);
  const copies = { rows: [[0, 1]] as const, axis: 1, length: 2 };
  assertThrows(() => stream.copyRows(odd, odd, copies), ShapeError, "Cannot copy rows of [2,3,5]");
  const builder = new GraphBuilder("part");
  builder.output(
    "y",
    slice(cast(builder.input("x", "float16", [6]), { dataType: "float32" }), { starts: [1], sizes: [4] }),
  );
  using weights = await backend.open(memorySource());
  using program = await backend.compile(builder.build(), weights);
  using y = backend.allocate("float32", [4]);
  assertThrows(
    () => program.bind({ x: { tensor, offset: 3 }, y }),
    ShapeError,
    'Cannot bind "x" to elements 3 to 9 of float16',
  );
  using run = program.bind({ x: { tensor, offset: 6 }, y });
  stream.enqueue(run);
  assertEquals([...(await stream.read(y)).data], [...expected.slice(7, 11)].map(Number));
});

Deno.test("what is too large for float16 becomes its largest number, not infinite", async () => {
  const builder = new GraphBuilder("overflow");
  const x = builder.input("x", "float32", [2, 4]);
  const hidden = linear(x, builder.parameter("first", [4, 4]));
  builder.output("y", linear(hidden, builder.parameter("last", [4, 4])));
  const unit = (value: number) => Float32Array.from({ length: 16 }, (_, i) => i % 5 === 0 ? value : 0);
  const parameters = {
    first: new Tensor("float32", [4, 4], unit(1024)),
    last: new Tensor("float32", [4, 4], unit(0.5)),
  };
  const tensors = { x: new Tensor("float32", [2, 4], Float32Array.of(1e3, -1e3, 1e20, -1e20, 1, 63, 64, 0)) };
  await using backend = await loadInFloat16("gpu");
  const { y } = await execute(backend, builder.build(), tensors, {}, parameters);
  assertEquals([...y.data], [65504, -65504, 65504, -65504, 1024, 2 * 32256, 65504, 0].map((value) => value / 2));
});
