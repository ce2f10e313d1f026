// Small programs, bound to buffers of their own, for the tests of both runtimes of ONNX models.
import { type Backend, type DeviceTensor, type Graph, GraphBuilder, resolveShape } from "../../../src/graph/mod.ts";
import { gather, matmul, mul } from "../../../src/operators/mod.ts";
import { memorySource } from "../../conformance/execute.ts";

/** A program without parameters, bound to buffers of its own. */
export async function bound(backend: Backend, graph: Graph, sizes: Record<string, number> = {}) {
  const weights = await backend.open(memorySource());
  const program = await backend.compile(graph, weights);
  const buffers: Record<string, DeviceTensor> = {};
  for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.states, ...graph.outputs]) {
    buffers[name] = backend.allocate(dataType, resolveShape(shape, sizes));
  }
  const run = program.bind(buffers, sizes);
  const all: Disposable[] = [run, program, ...Object.values(buffers), weights];
  return { weights, program, buffers, run, all, [Symbol.dispose]: () => all.forEach((each) => each[Symbol.dispose]()) };
}

/** Doubles x. */
export function doubling(): Graph {
  const builder = new GraphBuilder("doubling");
  builder.output("y", mul(builder.input("x", "float32", [4]), builder.scalar(2)));
  return builder.build();
}

/** Products that take a while: 2 · side³ operations each. */
export function slow(products: number, side: number): Graph {
  const builder = new GraphBuilder("slow");
  const x = builder.input("x", "float32", [side, side]);
  let y = x;
  for (let i = 0; i < products; i++) y = matmul(y, x);
  builder.output("y", y);
  return builder.build();
}

/** A row of a table, by its number: one that the table does not have fails while it runs. */
export function lookup(): Graph {
  const builder = new GraphBuilder("lookup");
  const table = builder.input("table", "float32", [3, 2]);
  builder.output("y", gather(table, builder.input("ids", "int64", [1]), { axis: 0 }));
  return builder.build();
}
