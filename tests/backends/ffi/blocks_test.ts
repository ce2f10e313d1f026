import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FfiBackend } from "../../../backends/ffi/backend.ts";
import { findLibrary } from "../../../backends/ffi/library.ts";
import { load } from "../../../backends/ffi/mod.ts";
import { Runtime } from "../../../backends/ffi/runtime.ts";
import { type IntegerProducts, toOnnx } from "../../../backends/onnx/mod.ts";
import type { OnnxProgram } from "../../../backends/onnx/session/mod.ts";
import { load as loadReference } from "../../../backends/reference/mod.ts";
import { BackendError, ShapeError } from "../../../src/errors/mod.ts";
import { type Backend, type Graph, GraphBuilder, type Sizes, type Value } from "../../../src/graph/mod.ts";
import { add, cacheAppend, concat, gather, linear, transposeLast } from "../../../src/operators/mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  codeType,
  layOutCodes,
  type StoredWeight,
  weightFromTensor,
  weightOfBlocks,
} from "../../../src/weights/mod.ts";
import { encodeBlocks } from "../../../src/weights/encode_blocks.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { Files } from "./weight_files.ts";

/** The distance that is allowed where nothing is rounded but the weights, of the largest value. */
const exact = 2e-4;

/** A place that nothing is read from. */
const located = {
  form: "rows" as const,
  codes: { path: "/f", offset: 0, byteLength: 1 },
  scales: { path: "/f", offset: 0, byteLength: 1 },
};

/** A matrix in blocks, in memory. */
function blocksOf(matrix: Tensor, encoding: BlockEncoding): StoredWeight {
  const blocks = encodeBlocks(matrix.data as Float32Array, matrix.shape, encoding);
  return weightOfBlocks(matrix.shape, { ...encoding, load: () => Promise.resolve(blocks) });
}

/** Run a graph of one input `x` and one output `y`. */
async function run(
  backend: Backend,
  graph: Graph,
  source: ReadonlyMap<string, StoredWeight>,
  x: Tensor,
  { sizes = {}, lowMemory }: { sizes?: Sizes; lowMemory?: boolean } = {},
) {
  using stack = new DisposableStack();
  const weights = stack.use(await backend.open(source, { storage: "q8", lowMemory }));
  const program = stack.use(await backend.compile(graph, weights));
  const stream = stack.use(backend.stream());
  const shape = graph.outputs.get("y")!.shape.map((length) => length === "T" ? x.shape[0] : length as number);
  const tensors = {
    x: stack.use(backend.allocate(x.dataType, x.shape)),
    y: stack.use(backend.allocate("float32", shape)),
  };
  const states = [...graph.states].map(([name, { shape }]) =>
    [name, stack.use(backend.allocate("float32", shape as number[]))] as const
  );
  stream.write(tensors.x, x.data);
  stream.enqueue(stack.use(program.bind({ ...tensors, ...Object.fromEntries(states) }, sizes)));
  return await stream.read(tensors.y);
}

/** The ffi backend whose products of many rows are in float32, or in 8 bits. */
async function ffi(isPacked: boolean, rowScales?: IntegerProducts["rowScales"]): Promise<FfiBackend> {
  return new FfiBackend(Runtime.open(await findLibrary({}), {}), "CPU", undefined, {
    blocks: isPacked ? "packed" : "decoded",
    rowScales,
  });
}

/** activation(x · weight + bias), after a state if the program is to run by steps. */
function layer(weight: Tensor, axis: 0 | 1, options: { activation?: "gelu" | "geluQuick"; steps?: boolean }): Graph {
  const { activation, steps } = options;
  const [outputs, inputs] = axis === 1 ? weight.shape : weight.shape.toReversed();
  const builder = new GraphBuilder("layer");
  const x = builder.input("x", "float32", ["T", inputs]);
  const y = linear(x, builder.parameter("weight", weight.shape), {
    bias: builder.parameter("bias", [outputs]),
    weightLayout: axis === 1 ? "out_in" : "in_out",
    activation,
  });
  builder.output("y", y);
  if (steps) {
    cacheAppend(builder.state("state", "float32", [1, 1]), builder.constant(numbers(3, 1, 1)), { axis: 1, at: 0 });
  }
  return builder.build();
}

const cases = [
  { bits: 8, block: 64, axis: 1, activation: undefined },
  { bits: 8, block: 16, axis: 0, activation: "gelu" },
  { bits: 4, block: 32, axis: 0, activation: undefined },
  { bits: 4, block: 16, axis: 1, activation: "geluQuick" },
] as const;

for (const { bits, block, axis, activation } of cases) {
  const encoding = { bits, block, axis };
  const weight = numbers(4, ...(axis === 1 ? [72, 192] : [192, 72]));
  const source = new Map([["weight", blocksOf(weight, encoding)], ["bias", weightFromTensor(numbers(5, 72))]]);
  const x = numbers(6, 9, 192);

  Deno.test(`ffi multiplies by ${bits} bits in blocks of ${block} along axis ${axis} as the reference`, async () => {
    await using reference = await loadReference();
    await using backend = await ffi(false);
    const graph = layer(weight, axis, { activation });
    const expected = await run(reference, graph, source, x, { sizes: { T: 9 } });
    assertClose(await run(backend, graph, source, x, { sizes: { T: 9 } }), expected, exact, "many rows");
    assertEquals(backend.counters.liveHandles, 0);
    assertEquals(backend.counters.weightBytes, 0);
  });

  // Packed codes, and where memory is short codes as they lie, multiplied with signed or unsigned ones.
  for (const lowMemory of [undefined, "signedColumns", "columns"] as const) {
    const how = lowMemory ? `as they lie, with those of ${lowMemory}` : "that are packed";
    Deno.test(`ffi rounds only inputs where it multiplies ${bits} bits along axis ${axis} in integers ${how}`, async () => {
      await using reference = await loadReference();
      await using backend = await ffi(!lowMemory, lowMemory);
      for (const [rows, steps] of [[1, true], [9, true], [9, false]] as const) {
        const graph = layer(weight, axis, { steps });
        const part = new Tensor("float32", [rows, 192], x.data.slice(0, rows * 192));
        const expected = await run(reference, graph, source, part, { sizes: { T: rows } });
        const found = await run(backend, graph, source, part, { sizes: { T: rows }, lowMemory: lowMemory && true });
        // An input is off by at most 1/254 of its block's largest, which is below 1; errors of many add up like noise.
        const decoded = (await source.get("weight")!.load()).data as Float32Array;
        const spread = Math.sqrt(decoded.reduce((sum, value) => sum + value * value, 0) / 72);
        found.data.forEach((value: number | bigint, i: number) => {
          const away = Math.abs(Number(value) - Number(expected.data[i]));
          assert(away <= 6 * spread / 254, `${value} is ${away} from ${expected.data[i]}`);
        });
        if (lowMemory && steps) assertThrows(() => assertClose(found, expected, exact, "rounded"));
      }
    });
  }
}

for (const bits of [8, 4] as const) {
  Deno.test(`ffi gives a row the same numbers in few rows and in many where ${bits} bits take no memory`, async () => {
    const weight = numbers(4, 72, 192);
    const bias = weightFromTensor(numbers(5, 72));
    const graph = layer(weight, 1, { steps: true });
    const most = 20;
    const x = numbers(6, most, 192);
    for (const rowScales of ["signedColumns", "columns", undefined] as const) {
      await using backend = await ffi(false, rowScales);
      {
        using stack = new DisposableStack();
        const source = new Map([["weight", blocksOf(weight, { bits, block: 32, axis: 1 })], ["bias", bias]]);
        const weights = stack.use(await backend.open(source, { storage: "q8", lowMemory: true }));
        const program = stack.use(await backend.compile(graph, weights));
        const stream = stack.use(backend.stream());
        const input = stack.use(backend.allocate("float32", [most, 192]));
        const y = stack.use(backend.allocate("float32", [most, 72]));
        const state = stack.use(backend.allocate("float32", [1, 1]));
        const multiply = (from: number, to: number) => {
          stream.write(input, x.data.slice(192 * from, 192 * to));
          stream.enqueue(stack.use(program.bind({ x: input, y, state }, { T: to - from })));
          return stream.read(y, { shape: [to - from, 72] });
        };
        // By turns, as where rows come and go.
        for (const rows of [most, 3, most - 1]) {
          const together = (await multiply(0, rows)).data as Float32Array;
          for (let row = 0; row < rows; row++) {
            const alone = await multiply(row, row + 1);
            const same = new Tensor("float32", [1, 72], together.slice(72 * row, 72 * row + 72));
            assertClose(alone, same, 1e-6, `row ${row} of ${rows}`);
          }
        }
        assertThrows(() => program.bind({ x: input, y, state }), ShapeError, '"T"');
      }
      assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [0, 0]);
    }
  });
}

Deno.test("ffi multiplies whole numbers where rows have one scale, and rounds an input once for all that read it", async () => {
  const encoding = { bits: 8, block: 32, axis: 1, rowScales: true } as const;
  // Of two numbers that are multiplied together one is 0: AVX2 would add the products of signed codes in 16 bits.
  const halved = ({ shape, data }: Tensor) =>
    blocksOf(new Tensor("float32", shape, (data as Float32Array).map((value, i) => i % 2 * value)), encoding);
  const [first, second] = [halved(numbers(4, 72, 192)), halved(numbers(5, 40, 192))];
  const builder = new GraphBuilder("whole");
  const x = builder.input("x", "float32", [2, 9, 192]);
  const bias = builder.constant(numbers(7, 72));
  const y = linear(x, builder.parameter("first", [72, 192]), { bias, activation: "gelu" });
  builder.output("y", concat([y, linear(x, builder.parameter("second", [40, 192]))], { axis: 2 }));
  const graph = builder.build();
  const input = numbers(6, 2, 9, 192);
  await using reference = await loadReference();
  const expected = await run(reference, graph, new Map([["first", first], ["second", second]]), input);
  await using files = new Files();
  const folder = await files.folder();
  const stored = { rows: new Map<string, StoredWeight>(), signedColumns: new Map<string, StoredWeight>() };
  for (const [name, { shape, blocks }] of Object.entries({ first, second })) {
    const { codes, scales } = await blocks!.load();
    const [rows, columns] = shape;
    await files.put(`${name}.scales`, new Tensor("float32", [rows, 6], scales), `${folder}/${name}.scales`, 8);
    for (const form of ["rows", "signedColumns"] as const) {
      const laidOut = new Uint8Array(codes.length);
      layOutCodes(codes, { rows, columns }, { from: "rows", to: form }, laidOut);
      const part = `${name}.${form}`;
      await files.put(part, new Tensor("uint8", shape, laidOut), `${folder}/${part}`, 13);
      const regions = { codes: files.get(part)!.region!, scales: files.get(`${name}.scales`)!.region! };
      const load = () => Promise.resolve({ codes, scales });
      stored[form].set(name, weightOfBlocks(shape, { bits: 8, block: 32, axis: 1, regions, form, load }));
    }
  }
  await using unsigned = await ffi(false, "columns");
  await using signed = await ffi(false, "signedColumns");
  await using exactly = await ffi(false);
  const inMemory = new Map([["first", first], ["second", second]]);
  for (const source of [inMemory, stored.rows, stored.signedColumns]) {
    for (const lowMemory of [false, true]) {
      const found = await run(unsigned, graph, source, input, { lowMemory });
      // An input is off by at most half of 1/255 of the distance between the largest and the least.
      assertClose(found, expected, 1e-2, "rounded");
      assertThrows(() => assertClose(found, expected, exact, "rounded"));
      assertEquals((await run(signed, graph, source, input, { lowMemory })).data, found.data);
      assertClose(await run(exactly, graph, source, input, { lowMemory }), expected, exact, "decoded");
      for (const { counters } of [unsigned, signed]) assertEquals([counters.liveHandles, counters.weightBytes], [0, 0]);
    }
  }
  for (const form of ["columns", "signedColumns"] as const) {
    const { bytes, blockInitializers } = toOnnx(graph, () => ({ ...located, encoding, form }));
    const count = (operator: string) => new TextDecoder("latin1").decode(bytes).split(operator).length - 1;
    // The bias is the product's.
    assertEquals(["DynamicQuantizeLinear", "MatMulIntegerToFloat", "Add"].map(count), [1, 2, 0]);
    const types = blockInitializers.filter(({ part }) => part === "codes").map(({ dataType }) => dataType);
    assertEquals(types, Array(2).fill(codeType(form)));
  }
});

Deno.test("ffi reads the rows of a table in blocks, and a head that shares it, from memory and from a file", async () => {
  const table = numbers(7, 50, 64);
  const encoding = { bits: 8, block: 32, axis: 1 } as const;
  const builder = new GraphBuilder("words");
  const words: Value = builder.parameter("words", [50, 64]);
  const states = gather(words, builder.input("x", "int64", [2, 3]), { axis: 0 });
  builder.output("y", linear(states, words));
  const graph = builder.build();
  const x = new Tensor("int64", [2, 3], BigInt64Array.of(0n, 49n, 7n, 7n, 1n, 30n));
  await using reference = await loadReference();
  await using backend = await ffi(false);
  const weight = blocksOf(table, encoding);
  const expected = await run(reference, graph, new Map([["words", weight]]), x);
  assertClose(await run(backend, graph, new Map([["words", weight]]), x), expected, exact, "in memory");

  await using files = new Files();
  const { codes, scales } = await weight.blocks!.load();
  const folder = await files.folder();
  await files.put("codes", new Tensor("uint8", [50, 64], codes), `${folder}/codes.bin`, 13);
  await files.put("scales", new Tensor("float32", [50, 2], scales), `${folder}/scales.bin`, 8);
  const regions = { codes: files.get("codes")!.region!, scales: files.get("scales")!.region! };
  const load = () => Promise.reject(new Error("it is not read"));
  const stored = new Map([["words", weightOfBlocks([50, 64], { ...encoding, regions, load })]]);
  assertClose(await run(backend, graph, stored, x), expected, exact, "in a file");
  const wrong = new Tensor("int64", [2, 3], BigInt64Array.of(0n, 50n, 7n, 7n, 1n, 30n));
  await assertRejects(() => run(backend, graph, stored, wrong), Error, "50");
});

Deno.test("ffi computes a large head part by part where memory is short", async () => {
  // More numbers than are decoded at once, and more blocks than are summed at once; the last part is a small one.
  const [rows, width] = [140000, 64];
  const words = blocksOf(numbers(10, rows, width), { bits: 8, block: 16, axis: 1 });
  const source = new Map([["words", words]]);
  const head = (steps: boolean): Graph => {
    const builder = new GraphBuilder("head");
    const table = builder.parameter("words", [rows, width]);
    builder.output("y", linear(gather(table, builder.input("x", "int64", [2, 1]), { axis: 0 }), table));
    const one = builder.constant(numbers(3, 1, 1));
    if (steps) cacheAppend(builder.state("state", "float32", [1, 1]), one, { axis: 1, at: 0 });
    return builder.build();
  };
  const x = new Tensor("int64", [2, 1], BigInt64Array.of(BigInt(rows) - 1n, 3n));
  await using reference = await loadReference();
  await using backend = await ffi(false, "signedColumns");
  const expected = await run(reference, head(false), source, x);
  assertClose(await run(backend, head(false), source, x, { lowMemory: true }), expected, exact, "decoded");
  assertClose(await run(backend, head(true), source, x, { lowMemory: true }), expected, 1e-2, "as it lies");
});

Deno.test("ffi decodes what a program reads otherwise, and takes new values instead of blocks", async () => {
  const matrix = numbers(8, 32, 32);
  const encoding = { bits: 8, block: 32, axis: 1 } as const;
  const builder = new GraphBuilder("otherwise");
  const weight = builder.parameter("weight", [32, 32]);
  builder.output("y", add(linear(builder.input("x", "float32", [32, 32]), weight), transposeLast(weight)));
  const graph = builder.build();
  const source = new Map([["weight", blocksOf(matrix, encoding)]]);
  const x = numbers(9, 32, 32);
  await using reference = await loadReference();
  await using backend = await load();
  const expected = await run(reference, graph, source, x);
  assertClose(await run(backend, graph, source, x), expected, exact, "decoded");

  using weights = await backend.open(source, { storage: "q8" });
  const product = new GraphBuilder("product");
  product.output("y", linear(product.input("x", "float32", [32, 32]), product.parameter("weight", [32, 32])));
  using program = await backend.compile(product.build(), weights);
  using stream = backend.stream();
  using input = backend.allocate("float32", [32, 32]);
  using y = backend.allocate("float32", [32, 32]);
  using bound = program.bind({ x: input, y });
  const identity = new Float32Array(32 * 32);
  for (let i = 0; i < 32; i++) identity[33 * i] = 1;
  stream.write(input, x.data);
  stream.enqueue(bound);
  await stream.read(y);
  await weights.write("weight", new Tensor("float32", [32, 32], identity));
  stream.enqueue(bound);
  assertClose(await stream.read(y), x, 1e-6, "the new value");
  assertEquals((await weights.read("weight")).data, identity);
});

Deno.test("ffi has packed copies of blocks for a new program in place of one that has not run yet", async () => {
  await using backend = await ffi(true);
  using weights = await backend.open(
    new Map([
      ["weight", blocksOf(numbers(10, 72, 192), { bits: 8, block: 64, axis: 1 })],
      ["bias", weightFromTensor(numbers(11, 72))],
    ]),
    { storage: "q8" },
  );
  using stack = new DisposableStack();
  using stream = backend.stream();
  const graph = layer(numbers(10, 72, 192), 1, { steps: true });
  const tensors = {
    x: stack.use(backend.allocate("float32", [1, 192])),
    y: stack.use(backend.allocate("float32", [1, 72])),
    state: stack.use(backend.allocate("float32", [1, 1])),
  };
  stream.write(tensors.x, numbers(12, 1, 192).data);
  const compile = async () => stack.use(await backend.compile(graph, weights)) as OnnxProgram;
  const result = (program: OnnxProgram) => {
    stream.enqueue(stack.use(program.bind(tensors, { T: 1 })));
    return stream.read(tensors.y);
  };
  const hasSession = (programs: readonly OnnxProgram[]) => programs.map(({ compiled }) => compiled !== undefined);
  const [one, two] = [await compile(), await compile()];
  assertEquals(hasSession([one, two]), [false, true]);
  const expected = await result(two);
  assertEquals(await result(one), expected, "compiled again");
  const three = await compile();
  assertEquals(hasSession([one, two, three]), [true, true, true], "programs that have run keep theirs");
});

Deno.test("ffi says why it does not hold float16", async () => {
  await using backend = await load();
  const error = await assertRejects(() => backend.open(new Map(), { storage: "float16" }), BackendError);
  assert(/widens float16 to float32 on the CPU/.test(error.message), error.message);
});
