// A program bound to tensors that stand between guard words: a kernel that writes past its result changes one, and one
// that reads past an operand finds NaN.
import { AssertionError } from "@std/assert";
import {
  type Backend,
  type DeviceTensor,
  type Graph,
  type Program,
  resolveShape,
  type Run,
  type Sizes,
  type Stream,
} from "../../src/graph/mod.ts";
import { allocateArray, type DataType, isFloat, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";

/** The guard words on a side: 256 bytes, after which a binding may begin on every WebGPU device. */
export const guardWords = 64;

/** Guard words: a number that no kernel writes, or NaN around what is only read. */
function guards(dataType: DataType, length: number, isInput: boolean): TypedArray {
  const words = allocateArray(dataType, length);
  if (dataType === "int64") return words.fill(77n as never);
  return words.fill((!isFloat(dataType) || dataType === "bfloat16" ? 77 : isInput ? NaN : -77.25) as never);
}

/** An output or a state, which is read. */
interface Result {
  readonly name: string;
  readonly tensor: DeviceTensor;
  readonly shape: readonly number[];
}

/** What is bound. */
export interface GuardedRunOptions {
  readonly backend: Backend;
  /** What the tensors are written and read by. */
  readonly stream: Stream;
  readonly graph: Graph;
  /** The graph's. */
  readonly program: Program;
  /** Inputs and states by name. @default zeros for states */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly sizes?: Sizes;
  /**
   * How many guard words stand before each tensor. With some, what is bound ends with its elements, and a GPU keeps
   * kernels within it; with none the whole buffer is bound, so that a kernel can write what comes after.
   */
  readonly before: number;
}

/** A program with tensors between guard words. An output is made of them too, so that an element that is left out shows. */
export class GuardedRun implements Disposable {
  readonly run: Run;
  readonly #stack = new DisposableStack();
  readonly #results: Result[] = [];

  constructor(readonly options: GuardedRunOptions) {
    const { backend, stream, graph, program, tensors, sizes = {}, before } = options;
    const parts = [...graph.inputs, ...graph.states, ...graph.outputs].map(([name, { dataType, shape }]) => {
      const isInput = graph.inputs.has(name);
      const resolved = resolveShape(shape, sizes);
      const size = sizeOf(resolved);
      const words = guards(dataType, before + size + guardWords, isInput);
      const elements = tensors[name]?.data ?? (graph.states.has(name) ? allocateArray(dataType, size) : []);
      words.set(elements as never, before);
      const tensor = this.#stack.use(backend.allocate(dataType, [words.length]));
      stream.write(tensor, words);
      if (!isInput) this.#results.push({ name, tensor, shape: resolved });
      return [name, { tensor, offset: before }];
    });
    this.run = this.#stack.use(program.bind(Object.fromEntries(parts), sizes));
  }

  /**
   * Read every output and state.
   *
   * @throws {AssertionError} If a guard word is not as it was.
   */
  async read(): Promise<Record<string, Tensor>> {
    const { stream, before } = this.options;
    const results: Record<string, Tensor> = {};
    for (const { name, tensor, shape } of this.#results) {
      const { dataType, data } = await stream.read(tensor);
      const end = data.length - guardWords;
      const words = guards(dataType, data.length, false);
      const changed = words.findIndex((word, i) => (i < before || i >= end) && !Object.is(word, data[i]));
      if (changed >= 0) {
        const place = changed < before ? `${before - changed} before its first` : `${changed - end + 1} after its last`;
        throw new AssertionError(`Memory beside "${name}" is written: ${data[changed]}, ${place} element`);
      }
      results[name] = new Tensor(dataType, shape, data.slice(before, end));
    }
    return results;
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
