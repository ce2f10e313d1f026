// Weights in files, and programs that read them, for tests of how the ffi backend holds weights.
import { type Backend, GraphBuilder, type Weights } from "../../../src/graph/mod.ts";
import { FileSource } from "../../../src/hub/mod.ts";
import { linear } from "../../../src/operators/mod.ts";
import type { Tensor } from "../../../src/tensor/mod.ts";
import type { StoredWeight, StoredWeights } from "../../../src/weights/mod.ts";
import type { Bounded } from "../../conformance/bounds.ts";
import { memorySource } from "../../conformance/execute.ts";
import { evaluate } from "../../conformance/oracle.ts";

/** Parameters as float32 in files, each behind some bytes of something else. */
export class Files extends Map<string, StoredWeight> implements AsyncDisposable {
  readonly #folders: string[] = [];

  async folder(): Promise<string> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "limner_weights_" }));
    this.#folders.push(folder);
    return folder;
  }

  async put(name: string, tensor: Tensor, path: string, offset: number): Promise<void> {
    const { data, dataType, shape } = tensor;
    const bytes = new Uint8Array(offset + data.byteLength);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    await Deno.remove(path).catch(() => {});
    await Deno.writeFile(path, bytes);
    const { check } = (await FileSource.open(path))!;
    const region = { path, offset, byteLength: data.byteLength, check };
    this.set(name, { dataType, shape, region, load: () => Promise.resolve(tensor) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders) await Deno.remove(folder, { recursive: true });
  }
}

/** x [1, in] times each named matrix [out, in] in turn. */
function chain(name: string, source: StoredWeights, names: readonly string[]) {
  const builder = new GraphBuilder(name);
  const width = source.get(names[0])!.shape[1];
  let y = builder.input("x", "float32", [1, width]);
  for (const key of names) y = linear(y, builder.parameter(key, source.get(key)!.shape));
  builder.output("y", y);
  return builder.build();
}

/** What such a chain of matrices computes. */
export function multiply(x: Tensor, ...matrices: Tensor[]): Bounded {
  const parameters = Object.fromEntries(matrices.map((matrix, i) => [`matrix ${i}`, matrix]));
  return evaluate(chain("expected", memorySource(parameters), Object.keys(parameters)), { x, ...parameters }).y;
}

/** Compile a chain, and run it when called. */
export async function runner(backend: Backend, weights: Weights, source: StoredWeights, names: string[], x: Tensor) {
  const stack = new DisposableStack();
  const graph = chain(names.join(), source, names);
  const program = stack.use(await backend.compile(graph, weights));
  const stream = stack.use(backend.stream());
  const input = stack.use(backend.allocate("float32", x.shape));
  const output = stack.use(backend.allocate("float32", graph.outputs.get("y")!.shape as number[]));
  stream.write(input, x.data);
  const run = stack.use(program.bind({ x: input, y: output }));
  const call = () => {
    stream.enqueue(run);
    return stream.read(output);
  };
  return Object.assign(call, { [Symbol.dispose]: () => stack[Symbol.dispose]() });
}
