// Products and tables of weights that are held as float16, or in blocks of 8 or 4 bits, by the kernels of every profile.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadWithProfile } from "../../../backends/webgpu/mod.ts";
import {
  type Backend,
  type DeviceTensor,
  type Graph,
  GraphBuilder,
  type WeightStorage,
} from "../../../src/graph/mod.ts";
import { add, gather, linear } from "../../../src/operators/mod.ts";
import { Tensor, type TypedArray } from "../../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  blockShapes,
  type StoredWeight,
  weightFromTensor,
  weightOfBlocks,
} from "../../../src/weights/mod.ts";
import { encodeBlocks } from "../../../src/weights/encode_blocks.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { evaluate } from "../../conformance/oracle.ts";
import { GuardedRun } from "../../conformance/guarded_run.ts";
import { int64, numbers } from "../../conformance/repeatable_numbers.ts";

function inBlocks(matrix: Tensor, encoding: BlockEncoding): StoredWeight {
  const blocks = encodeBlocks(matrix.data as Float32Array, matrix.shape, encoding);
  return weightOfBlocks(matrix.shape, { ...encoding, load: () => Promise.resolve(blocks) });
}

/** A matrix in blocks of 8 bits of any length, whose scales are powers of two. */
function blocksOf(matrix: Tensor, block: number, axis: 0 | 1): StoredWeight {
  const encoding = { bits: 8, block, axis } as const;
  const { rows, columns, scales } = blockShapes(matrix.shape, encoding);
  const codes = Uint8Array.from({ length: rows * columns }, (_, i) => i * 37 % 256);
  const blocks = { codes, scales: Float32Array.from({ length: rows * scales[1] }, (_, i) => 2 ** (i % 5 - 9)) };
  return weightOfBlocks(matrix.shape, { ...encoding, load: () => Promise.resolve(blocks) });
}

function inHalves({ shape, data }: Tensor): Tensor {
  return new Tensor("float32", shape, Float32Array.from(data as Float32Array, Math.f16round));
}

/** Four products: one of a table's rows by the table, two of one value, and one of a matrix [inputs, outputs]. */
const graph = ((): Graph => {
  const builder = new GraphBuilder("storage");
  const x = builder.input("x", "float32", ["M", 96]);
  const ids = builder.input("ids", "int64", ["M"]);
  const table = builder.parameter("table", [133, 96]);
  const states = add(x, gather(table, ids, { axis: 0 }));
  builder.output("logits", linear(states, table));
  const [query, key] = ["query", "key"].map((name) =>
    linear(states, builder.parameter(name, [64, 96]), { activation: "relu" })
  );
  builder.output("query", add(query, builder.scalar(1)));
  builder.output("key", add(key, builder.scalar(2)));
  builder.output("turned", linear(x, builder.parameter("turned", [96, 37]), { weightLayout: "in_out" }));
  return builder.build();
})();

const matrices = {
  table: numbers(1, 133, 96),
  query: numbers(2, 64, 96),
  key: numbers(3, 64, 96),
  turned: numbers(4, 96, 37),
};

interface Held {
  readonly source: ReadonlyMap<string, StoredWeight>;
  readonly storage: WeightStorage;
}

function held(storage: "float16" | 8 | 4): Held {
  const encoded = (name: string, matrix: Tensor) => {
    if (storage === "float16") return weightFromTensor(matrix);
    return inBlocks(matrix, { bits: storage, block: storage === 8 ? 32 : 16, axis: name === "turned" ? 0 : 1 });
  };
  const source = new Map(Object.entries(matrices).map(([name, matrix]) => [name, encoded(name, matrix)]));
  return { source, storage: storage === "float16" ? storage : storage === 8 ? "q8" : "q4" };
}

async function run(backend: Backend, { source, storage }: Held, M: number): Promise<Record<string, Tensor>> {
  using stack = new DisposableStack();
  const weights = stack.use(await backend.open(source, { storage }));
  const program = stack.use(await backend.compile(graph, weights));
  const stream = stack.use(backend.stream());
  const inputs = inputsOf(M);
  const tensors: Record<string, DeviceTensor> = Object.fromEntries([
    ...Object.entries(inputs).map(([name, { dataType, shape }]) => [name, backend.allocate(dataType, shape)]),
    ...[...graph.outputs].map(([name, { shape }]) => [name, backend.allocate("float32", [M, shape[1] as number])]),
  ]);
  for (const tensor of Object.values(tensors)) stack.use(tensor);
  for (const [name, { data }] of Object.entries(inputs)) stream.write(tensors[name], data as TypedArray);
  stream.enqueue(stack.use(program.bind(tensors, { M })));
  const found: Record<string, Tensor> = {};
  for (const name of graph.outputs.keys()) found[name] = await stream.read(tensors[name]);
  return found;
}

function inputsOf(M: number): Record<string, Tensor> {
  const ids = Array.from({ length: M }, (_, i) => i * 29 % 133);
  return { x: numbers(9, M, 96), ids: new Tensor("int64", [M], int64(...ids)) };
}

for (const profile of ["soft", "gpu", "gpu-sg"] as const) {
  // How weights are read has nothing to do with subgroups.
  for (const storage of profile === "gpu-sg" ? [8] as const : ["float16", 8, 4] as const) {
    Deno.test(`webgpu's ${profile} kernels read weights held in ${storage === "float16" ? storage : `${storage} bits`}`, async () => {
      await using backend = await loadWithProfile(profile);
      const weights = held(storage);
      const rounded = Object.fromEntries(
        await Promise.all(
          [...weights.source].map(async ([name, weight]) =>
            [
              name,
              storage === "float16" ? inHalves(matrices[name as keyof typeof matrices]) : await weight.load(),
            ] as const
          ),
        ),
      );
      for (const M of [1, 3, 8, 9, 70]) {
        const expected = evaluate(graph, { ...inputsOf(M), ...rounded }, { sizes: { M } });
        for (const [name, found] of Object.entries(await run(backend, weights, M))) {
          assertClose(found, expected[name].value, 2e-4, `${name} of ${M} rows`);
        }
      }
      assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [0, 0]);
    });
  }
}

for (const profile of ["soft", "gpu"] as const) {
  Deno.test(`webgpu's ${profile} kernels hold 8 bits in little more than a quarter, which cannot be trained`, async () => {
    await using backend = await loadWithProfile(profile);
    const { source, storage } = held(8);
    using weights = await backend.open(source, { storage });
    using _program = await backend.compile(graph, weights);
    // Panels are of 64 outputs.
    const outputs = ([rows, columns]: readonly number[]) => rows === 96 ? columns : rows;
    const padded = (n: number) => profile === "soft" ? Math.ceil(n / 64) * 64 : n;
    const size = Object.values(matrices).reduce((sum, { shape }) => sum + 4 * 96 * padded(outputs(shape)), 0);
    assert(backend.counters.weightBytes < 0.3 * size, `${backend.counters.weightBytes} of ${size} bytes`);
    await assertRejects(() => weights.train(["query"]), Error, '"query": it is held in few bits');
    // What is written is encoded anew.
    const query = numbers(30, 64, 96);
    await weights.write("query", query);
    assertEquals((await weights.read("query")).data, query.data);
  });

  Deno.test(`webgpu's ${profile} kernels read float16 of any size, and blocks that are cut elsewhere than its loops`, async () => {
    await using backend = await loadWithProfile(profile);
    const ids = new Tensor("int64", [9], int64(0, 63, 64, 128, 1, 2, 3, 65, 66));
    for (const [K, block] of [[37, undefined], [24, 12], [56, 8]] as const) {
      for (const byOutput of [true, false]) {
        const builder = new GraphBuilder("linear");
        const x = builder.input("x", "float32", ["M", K]);
        const weight = builder.parameter("weight", byOutput ? [129, K] : [K, 129]);
        builder.output("y", linear(x, weight, { weightLayout: byOutput ? "out_in" : "in_out" }));
        if (byOutput) builder.output("rows", gather(weight, builder.input("ids", "int64", [9]), { axis: 0 }));
        const own = builder.build();
        const matrix = numbers(1, ...weight.shape.map(Number));
        const stored = block === undefined ? weightFromTensor(matrix) : blocksOf(matrix, block, byOutput ? 1 : 0);
        const rounded = block === undefined ? inHalves(matrix) : await stored.load();
        using weights = await backend.open(new Map([["weight", stored]]), { storage: block ? "q8" : "float16" });
        using program = await backend.compile(own, weights);
        for (const M of [1, 9]) {
          const tensors = { x: numbers(2, M, K), ...(byOutput ? { ids } : {}) };
          using stream = backend.stream();
          const before = 0;
          using guarded = new GuardedRun({ backend, stream, graph: own, program, tensors, sizes: { M }, before });
          stream.enqueue(guarded.run);
          const expected = evaluate(own, { ...tensors, weight: rounded }, { sizes: { M } });
          for (const [name, found] of Object.entries(await guarded.read())) {
            assertClose(found, expected[name].value, 2e-4, `${name} of ${M} rows of ${K}, by output: ${byOutput}`);
          }
        }
      }
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}
