// Running one graph on a backend from host tensors to host tensors, for tests.
import { type Backend, type DeviceTensor, type Graph, resolveShape, type Sizes } from "../../src/graph/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { type StoredWeights, weightFromTensor } from "../../src/weights/mod.ts";

/** Parameters that are in memory. */
export function memorySource(tensors: Readonly<Record<string, Tensor>> = {}): StoredWeights {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, weightFromTensor(tensor)]));
}

/** Compile, bind, run once and read every output. */
export async function execute(
  backend: Backend,
  graph: Graph,
  tensors: Readonly<Record<string, Tensor>>,
  sizes: Sizes = {},
  parameters: Readonly<Record<string, Tensor>> = {},
): Promise<Record<string, Tensor>> {
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(graph, weights);
  const buffers: Record<string, DeviceTensor> = {};
  using stack = new DisposableStack();
  const stream = stack.use(backend.stream());
  for (const [name, value] of [...graph.inputs, ...graph.states, ...graph.outputs]) {
    buffers[name] = stack.use(backend.allocate(value.dataType, resolveShape(value.shape, sizes)));
    if (tensors[name]) stream.write(buffers[name], tensors[name].data);
  }
  using run = program.bind(buffers, sizes);
  stream.enqueue(run);
  const results: Record<string, Tensor> = {};
  for (const name of [...graph.outputs.keys(), ...graph.states.keys()]) {
    results[name] = await stream.read(buffers[name]);
  }
  return results;
}
