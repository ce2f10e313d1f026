// The gradient of an embedding of 40,000 rows of 768 by 64 labels, made in two ways: the rows of the labels' gradients are added
// where they belong (scatterAdd, as training does), or multiplied by one-hot rows. `deno run -A bench/embedding_bench.ts
// [BACKEND]` prints the first's time as a ratio of the second's.
import { type Backend, type BackendName, type Graph, GraphBuilder, type Value } from "../src/graph/mod.ts";
import { cast, equal, matmul, reshape, scatterAdd } from "../src/operators/mod.ts";
import { Tensor } from "../src/tensor/mod.ts";
import { loadBackend } from "../backends/load_backend.ts";

const [rows, vocabulary, width] = [64, 40000, 768];

const inputs = {
  ids: new Tensor("int32", [rows], Int32Array.from({ length: rows }, (_, i) => i * 761 % vocabulary)),
  gradient: new Tensor("float32", [rows, width], Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i))),
  all: new Tensor("int32", [vocabulary, 1], Int32Array.from({ length: vocabulary }, (_, i) => i)),
};

const ways = {
  scattered: (ids: Value, gradient: Value) => scatterAdd(ids, gradient, { size: vocabulary }),
  multiplied: (ids: Value, gradient: Value, all: Value) =>
    matmul(cast(equal(all, reshape(ids, { shape: [1, rows] })), { dataType: "float32" }), gradient),
};

function graphOf(way: keyof typeof ways): Graph {
  const builder = new GraphBuilder(way);
  const [ids, gradient, all] = Object.entries(inputs).map(([name, { dataType, shape }]) =>
    builder.input(name, dataType, shape)
  );
  builder.output("sum", ways[way](ids, gradient, all));
  return builder.build();
}

/** The least time of seven runs, in milliseconds, and the sum's first element. */
async function time(backend: Backend, way: keyof typeof ways): Promise<number> {
  const graph = graphOf(way);
  using program = await backend.compile(graph, await backend.open(new Map()));
  using stream = backend.stream();
  const buffers = Object.fromEntries([...graph.inputs, ...graph.outputs].map(([name, { dataType, shape }]) => [
    name,
    backend.allocate(dataType, shape as number[]),
  ]));
  for (const name of graph.inputs.keys()) stream.write(buffers[name], inputs[name as keyof typeof inputs].data);
  using run = program.bind(buffers);
  let least = Infinity;
  for (let i = 0; i < 7; i++) {
    const began = performance.now();
    stream.enqueue(run);
    await stream.read(buffers.sum, { shape: [1] });
    least = Math.min(least, performance.now() - began);
  }
  for (const buffer of Object.values(buffers)) buffer[Symbol.dispose]();
  return least;
}

const backend = await loadBackend((Deno.args[0] ?? "ffi") as BackendName);
const [scattered, multiplied] = [await time(backend, "scattered"), await time(backend, "multiplied")];
console.log(
  `${backend.name}: the rows added ${scattered.toFixed(1)} ms, the product ${multiplied.toFixed(1)} ms: ` +
    `${(scattered / multiplied).toFixed(2)} x`,
);
await backend[Symbol.asyncDispose]();
