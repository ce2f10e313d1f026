// Running one graph on a backend from host tensors to host tensors, for tests.
import { AssertionError } from "@std/assert";
import type { Backend, Graph, Sizes } from "../../src/graph/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { type StoredWeights, weightFromTensor } from "../../src/weights/mod.ts";
import { GuardedRun, guardWords } from "./guarded_run.ts";

/** Parameters that are in memory. */
export function memorySource(tensors: Readonly<Record<string, Tensor>> = {}): StoredWeights {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, weightFromTensor(tensor)]));
}

/**
 * Compile a graph, run it and read every output and state: twice, with and without guard words before what is bound.
 *
 * @throws {AssertionError} If it writes outside of its results, or finds something else the second time.
 */
export async function execute(
  backend: Backend,
  graph: Graph,
  tensors: Readonly<Record<string, Tensor>>,
  sizes: Sizes = {},
  parameters: Readonly<Record<string, Tensor>> = {},
): Promise<Record<string, Tensor>> {
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(graph, weights);
  using stream = backend.stream();
  const run = async (before: number) => {
    using guarded = new GuardedRun({ backend, stream, graph, program, tensors, sizes, before });
    stream.enqueue(guarded.run);
    return await guarded.read();
  };
  const [results, others] = [await run(guardWords), await run(0)];
  for (const [name, { data }] of Object.entries(results)) {
    const other = others[name].data;
    const at = data.findIndex((value: number | bigint, i: number) => !Object.is(value, other[i]));
    if (at >= 0) throw new AssertionError(`${graph.name} finds ${data[at]} in "${name}", then ${other[at]}`);
  }
  return results;
}
