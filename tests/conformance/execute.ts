// Running one graph on a backend from host tensors to host tensors, for tests. What is bound stands between guard words:
// a kernel that writes past its result changes one, and one that reads past an operand finds NaN.
import { AssertionError } from "@std/assert";
import {
  type Backend,
  type Graph,
  type Program,
  resolveShape,
  type Sizes,
  type TensorPart,
} from "../../src/graph/mod.ts";
import { allocateArray, type DataType, isFloat, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import { type StoredWeights, weightFromTensor } from "../../src/weights/mod.ts";

/** Parameters that are in memory. */
export function memorySource(tensors: Readonly<Record<string, Tensor>> = {}): StoredWeights {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, weightFromTensor(tensor)]));
}

/** The guard words on a side: 256 bytes, after which a binding may begin on every WebGPU device. */
const guardWords = 64;

/** An array that is filled with a guard word: a number that no kernel writes, or NaN around what is only read. */
function guardsFor(dataType: DataType, length: number, isWritten: boolean): TypedArray {
  const data = allocateArray(dataType, length);
  if (dataType === "int64") return data.fill(77n as never);
  return data.fill((!isFloat(dataType) || dataType === "bfloat16" ? 77 : isWritten ? -77.25 : NaN) as never);
}

/** Outputs and states after a run. */
type Results = Record<string, Tensor>;

/**
 * Run a program once, each buffer with guard words after its elements.
 *
 * @param before How many guard words stand before them. With some, what is bound ends with its elements, and a GPU keeps
 * kernels within it; with none the whole buffer is bound, so that a kernel can write what comes after.
 */
async function runGuarded(
  { backend, graph, program, sizes }: { backend: Backend; graph: Graph; program: Program; sizes: Sizes },
  tensors: Readonly<Record<string, Tensor>>,
  before: number,
): Promise<Results> {
  using stack = new DisposableStack();
  const stream = stack.use(backend.stream());
  const parts: Record<string, TensorPart> = {};
  for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.states, ...graph.outputs]) {
    const size = sizeOf(resolveShape(shape, sizes));
    const words = guardsFor(dataType, before + size + guardWords, !graph.inputs.has(name));
    if (tensors[name]) words.set(tensors[name].data as never, before);
    else if (graph.states.has(name)) words.set(allocateArray(dataType, size) as never, before);
    parts[name] = { tensor: stack.use(backend.allocate(dataType, [words.length])), offset: before };
    stream.write(parts[name].tensor, words);
  }
  stream.enqueue(stack.use(program.bind({ ...parts }, sizes)));
  const results: Results = {};
  for (const [name, { dataType, shape }] of [...graph.outputs, ...graph.states]) {
    const { data } = await stream.read(parts[name].tensor);
    const end = data.length - guardWords;
    const around = guardsFor(dataType, data.length, true);
    const changed = around.findIndex((word, i) => (i < before || i >= end) && !Object.is(word, data[i]));
    if (changed >= 0) {
      const place = changed < before ? `${before - changed} before its first` : `${changed - end + 1} after its last`;
      throw new AssertionError(`${graph.name} writes outside of "${name}": ${data[changed]}, ${place} element`);
    }
    results[name] = new Tensor(dataType, resolveShape(shape, sizes), data.slice(before, end));
  }
  return results;
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
): Promise<Results> {
  using weights = await backend.open(memorySource(parameters));
  using program = await backend.compile(graph, weights);
  const use = { backend, graph, program, sizes };
  const [results, others] = [await runGuarded(use, tensors, guardWords), await runGuarded(use, tensors, 0)];
  for (const [name, { data }] of Object.entries(results)) {
    const other = others[name].data;
    const at = data.findIndex((value: number | bigint, i: number) => !Object.is(value, other[i]));
    if (at >= 0) throw new AssertionError(`${graph.name} finds ${data[at]} in "${name}", then ${other[at]}`);
  }
  return results;
}
