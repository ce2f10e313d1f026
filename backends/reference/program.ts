// The interpreter: it executes a graph's nodes in order on host tensors, and drops each value after its last use.
import {
  type Binding,
  checkBinding,
  type DeviceTensor,
  type Graph,
  type NamedLeaf,
  type Node,
  type Program,
  type Run,
  type Sizes,
  sizesOfRun,
  type TensorPart,
  type Value,
} from "../../src/graph/mod.ts";
import type { AttributesOf, PrimitiveName } from "../../src/operators/mod.ts";
import { sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import { elementwiseKernels } from "./elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { indexingKernels } from "./indexing.ts";
import { matrixProductKernels } from "./matmul.ts";
import { movementKernels } from "./movement.ts";
import { randomKernels } from "./random.ts";
import { reductionKernels } from "./reduction.ts";

/** The kernel of every primitive. */
export const kernels = {
  ...elementwiseKernels,
  ...movementKernels,
  ...matrixProductKernels,
  ...reductionKernels,
  ...indexingKernels,
  ...randomKernels,
} satisfies { [K in PrimitiveName]: Kernel<AttributesOf<K>> };

/** A buffer of the reference: an array. */
export interface HostBuffer extends DeviceTensor {
  readonly data: TypedArray;
}

/** A program with its buffers. */
export interface ReferenceRun extends Run {
  /** Prepare an execution. @throws {ShapeError} If the sizes do not fit. */
  execution(sizes?: Sizes): () => void;
}

/** What a program needs of its backend. */
export interface Host {
  /** A parameter's current value. */
  parameter(name: string): Tensor;
  /** Count an execution of so many nodes. */
  count(nodes: number): void;
  /** Count a live object, or its release. */
  live(change: 1 | -1): void;
}

function runNodes(graph: Graph, lastUses: readonly (readonly Value[])[], leaves: (node: Node) => Tensor, sizes: Sizes) {
  const values = new Map<Value, Tensor>();
  const assigned: (readonly [target: Tensor, value: Tensor])[] = [];
  const results = new Map<string, Tensor>();
  const names = Map.groupBy(graph.outputs, ([, value]) => value);
  for (const node of graph.nodes) {
    const kernel = kernels[node.operator.name as PrimitiveName] as Kernel<object> | undefined;
    const inputs = node.inputs.map((value) => values.get(value)!);
    const outputs = kernel ? kernel(inputs, node.attributes, { sizes, outputs: node.outputs }) : [leaves(node)];
    if (node.operator.name === "assign") assigned.push([inputs[0], inputs[1]]);
    node.outputs.forEach((value, i) => {
      values.set(value, outputs[i]);
      for (const [name] of names.get(value) ?? []) results.set(name, outputs[i]);
    });
    for (const value of lastUses[node.id]) values.delete(value);
  }
  return { results, assigned };
}

/** For each node the values that no later node reads. */
function findLastUses(graph: Graph): Value[][] {
  const lastUses: Value[][] = graph.nodes.map(() => []);
  const seen = new Set<Value>();
  for (const node of graph.nodes.toReversed()) {
    for (const value of node.inputs) {
      if (seen.has(value)) continue;
      seen.add(value);
      lastUses[node.id].push(value);
    }
  }
  return lastUses;
}

/** A graph with its weights, ready to be interpreted. */
export class ReferenceProgram implements Program {
  readonly #lastUses: Value[][];
  #disposed = false;

  constructor(readonly graph: Graph, readonly host: Host) {
    this.#lastUses = findLastUses(graph);
    host.live(1);
  }

  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima: Sizes = {}): Run {
    const bound = tensors as Readonly<Record<string, HostBuffer | TensorPart<HostBuffer>>>;
    const binding = checkBinding(this.graph, bound, maxima);
    this.host.live(1);
    let disposed = false;
    const run: ReferenceRun = {
      maxima,
      execution: (sizes) => {
        const all = sizesOfRun(binding, sizes);
        return () => this.#execute(binding.parts, all);
      },
      [Symbol.dispose]: () => {
        if (!disposed) this.host.live(-1);
        disposed = true;
      },
    };
    return run;
  }

  #execute(parts: Binding<HostBuffer>["parts"], sizes: Sizes): void {
    const leaves = (node: Node): Tensor => {
      const kind = node.operator.name;
      if (kind === "constant") return (node.attributes as { tensor: Tensor }).tensor;
      const { name } = node.attributes as NamedLeaf;
      if (kind === "parameter") return this.host.parameter(name);
      const { tensor: { data, dataType }, offset, shape } = parts[name];
      return new Tensor(dataType, shape, data.subarray(offset, offset + sizeOf(shape)));
    };
    const { results, assigned } = runNodes(this.graph, this.#lastUses, leaves, sizes);
    for (const [name, { data }] of results) parts[name].tensor.data.set(data as never, parts[name].offset);
    // A value may be another state that is assigned too.
    const memory = new Set(assigned.map(([{ data }]) => data.buffer));
    const values = assigned.map(([, { data }]) => memory.has(data.buffer) ? data.slice() : data);
    for (const [i, [target]] of assigned.entries()) target.data.set(values[i] as never);
    this.host.count(this.graph.nodes.length);
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.host.live(-1);
    this.#disposed = true;
  }
}
