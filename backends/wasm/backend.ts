// The backend in WebAssembly: it opens weights, and compiles a graph into an ONNX model in memory, of which ONNX Runtime makes a
// session.
import { BackendError } from "../../src/errors/mod.ts";
import {
  type Backend,
  checkParameters,
  type DeviceTensor,
  type Graph,
  type Node,
  type OpenOptions,
  type Program,
  type Stream,
  type StreamOptions,
  type Weights,
  writtenParameters,
} from "../../src/graph/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { bytesPerElement, type DataType, sizeOf } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { type ParameterLocation, supportsNode, toOnnx } from "../onnx/mod.ts";
import { type CompiledSession, OnnxProgram, OnnxStream, RuntimeTensor } from "../onnx/session/mod.ts";
import type { WasmRuntime } from "./wasm_runtime.ts";
import { WasmWeights } from "./weights.ts";

/** ONNX Runtime in WebAssembly, on one thread. */
export class WasmBackend implements Backend {
  readonly name = "wasm";
  readonly device = "WebAssembly, 1 thread";
  readonly stepsPerRead = 1;

  constructor(readonly runtime: WasmRuntime) {}

  get counters(): WasmRuntime["counters"] {
    return this.runtime.counters;
  }

  supports(node: Node): boolean {
    return supportsNode(node);
  }

  open(source: StoredWeights, options: OpenOptions = {}): Promise<Weights> {
    if (options.storage !== undefined && options.storage !== "float32") {
      throw new BackendError(
        `Cannot hold weights as ${options.storage}: the wasm backend holds float32; load the model with dtype "float32"`,
        "wasm",
      );
    }
    return Promise.resolve(new WasmWeights(this.runtime, source, options));
  }

  async compile(graph: Graph, weights: Weights, { signal }: { signal?: AbortSignal } = {}): Promise<Program> {
    const held = weights as WasmWeights;
    checkParameters(graph, held.source, (name) => held.isTrained(name));
    graph = prepare(graph, (node) => this.supports(node));
    return await held.exclusively(async () => {
      await held.share(graph.parameters.keys());
      signal?.throwIfAborted();
      const compile = (_pack: boolean, fusesCaches: boolean) => this.#compile(graph, held, fusesCaches);
      const compiled = await this.#compile(graph, held, true, signal);
      return new OnnxProgram(this.runtime, graph, held, compile, true, compiled);
    });
  }

  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor {
    return new RuntimeTensor(this.runtime, dataType, capacity);
  }

  stream(options: StreamOptions = {}): Stream {
    return new OnnxStream(this.runtime, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.close();
  }

  async #compile(
    graph: Graph,
    weights: WasmWeights,
    fusesCaches: boolean,
    signal?: AbortSignal,
  ): Promise<CompiledSession> {
    const { version } = weights;
    const writes = writtenParameters(graph).size > 0;
    const parameters = new Map<string, RuntimeTensor>();
    const places = new Map<string, ParameterLocation>();
    const files = new Map<string, Uint8Array>();
    for (const [name, { dataType, shape }] of graph.parameters) {
      signal?.throwIfAborted();
      const byteLength = sizeOf(shape as readonly number[]) * bytesPerElement(dataType);
      if (writes || byteLength === 0 || weights.isInMemory(name)) {
        parameters.set(name, await weights.hold(name));
        places.set(name, "bound");
      } else {
        const path = `weight${files.size}`;
        files.set(path, await weights.bytesOf(name));
        places.set(name, { path, offset: 0, byteLength });
      }
    }
    const model = toOnnx(graph, (name) => places.get(name)!, { fusesCaches, scalesIntegers: true });
    const session = this.runtime.createSession(model.bytes, { name: graph.name, files });
    const fromMemory = new Set([...places.keys()].filter((name) => !parameters.has(name)));
    return { model, session, parameters, fromFile: new Set(), fromMemory, version };
  }
}
