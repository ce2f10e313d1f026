// The backend on one library: it opens weights, and compiles a graph into an ONNX model in memory, of which ONNX Runtime makes a
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
import type { DataType } from "../../src/tensor/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { allOperators, type OperatorSupport, supportsNode, toOnnx } from "../onnx/mod.ts";
import {
  type CompiledSession,
  OnnxProgram,
  OnnxStream,
  type RuntimeSession,
  RuntimeTensor,
} from "../onnx/session/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import type { OrtValue, OrtView } from "./ort_value.ts";
import type { Runtime } from "./runtime.ts";
import { FfiRuntime, type Initializer, type SessionOptions } from "./session.ts";
import { FfiWeights, type ParameterPlacement } from "./weights.ts";

/** The parameters of a program, and the initializers that its session gets. */
type SessionParameters =
  & Pick<CompiledSession, "parameters" | "fromFile" | "fromMemory">
  & Required<Pick<SessionOptions, "given" | "views">>;

function holdsMemory(place: ParameterPlacement): boolean {
  return place !== "bound" && place.held !== undefined;
}

/** ONNX Runtime on the CPU. */
export class FfiBackend implements Backend {
  readonly name = "ffi";
  readonly stepsPerRead = 1;
  readonly mapsFiles = true;
  readonly #sessions: FfiRuntime;

  /** @param operators The optional operators that the library has. */
  constructor(readonly runtime: Runtime, readonly device: string, readonly operators: OperatorSupport = allOperators) {
    this.#sessions = new FfiRuntime(runtime);
  }

  get counters(): Runtime["counters"] {
    return this.runtime.counters;
  }

  supports(node: Node): boolean {
    return supportsNode(node, this.operators);
  }

  open(source: StoredWeights, options: OpenOptions = {}): Promise<Weights> {
    if (options.storage !== undefined && options.storage !== "float32") {
      throw new BackendError(`Cannot hold weights as ${options.storage}: the ffi backend holds float32`, "ffi");
    }
    return Promise.resolve(new FfiWeights(this.#sessions, source, options));
  }

  async compile(graph: Graph, weights: Weights, { signal }: { signal?: AbortSignal } = {}): Promise<Program> {
    const held = weights as FfiWeights;
    checkParameters(graph, held.source, (name) => held.isTrained(name));
    graph = prepare(graph, (node) => this.supports(node));
    return await held.exclusively(async () => {
      const names = new Set([...graph.parameters.keys()].filter((name) => held.fileRegionOf(name)));
      const compile = (packed: boolean, fusesCaches: boolean) => this.#compile(graph, held, { packed, fusesCaches });
      // A program that trains reads parameters unpacked from the file, so that the other programs can keep packed copies.
      const pack = writtenParameters(graph).size === 0 && await held.decidePacking(names);
      signal?.throwIfAborted();
      const compiled = await this.#compile(graph, held, { packed: pack, fusesCaches: true, signal });
      return new OnnxProgram(this.#sessions, graph, held, compile, pack, compiled);
    });
  }

  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor {
    return new RuntimeTensor(this.#sessions, dataType, capacity);
  }

  stream(options: StreamOptions = {}): Stream {
    return new OnnxStream(this.#sessions, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.close();
  }

  async #compile(
    graph: Graph,
    weights: FfiWeights,
    { packed, fusesCaches, signal }: { packed: boolean; fusesCaches: boolean; signal?: AbortSignal },
  ): Promise<CompiledSession> {
    const { version } = weights;
    const writes = writtenParameters(graph).size > 0;
    const names = [...graph.parameters.keys()];
    const places = new Map<string, ParameterPlacement>();
    for (const name of names) places.set(name, await weights.placeOf(name, !writes));
    const lower = () =>
      toOnnx(graph, (name) => {
        const place = places.get(name)!;
        return place === "bound" ? place : place.region;
      }, { operators: this.operators, fusesCaches });
    let model = lower();
    // ONNX Runtime folds constants with what is in the file, and not with the memory that it is given.
    const stale = [...model.foldedParameters].filter((name) => holdsMemory(places.get(name)!));
    if (stale.length > 0) {
      for (const name of stale) places.set(name, "bound");
      model = lower();
    }
    const found = await this.#findParameters(places, weights, signal);
    const { parameters, fromFile, fromMemory, given, views } = found;
    let session: RuntimeSession | undefined;
    try {
      weights.checkFiles(fromFile);
      const options = { name: graph.name, folder: weights.folder, packed, given, views, writes };
      const create = () => this.#sessions.createSession(model.bytes, options);
      session = packed ? await weights.releasingPages(create) : await create();
      weights.checkFiles(fromFile);
      return { model, session, parameters, fromFile, fromMemory, version };
    } catch (error) {
      if (session) session.release();
      else for (const view of views) view.release();
      throw error;
    }
  }

  /** Find where the parameters of a program are: bound at each run, in memory as initializers, or in their file. */
  async #findParameters(
    places: ReadonlyMap<string, ParameterPlacement>,
    weights: FfiWeights,
    signal?: AbortSignal,
  ): Promise<SessionParameters> {
    const [parameters, inMemory] = [new Map<string, RuntimeTensor>(), new Map<string, RuntimeTensor>()];
    const fromFile = new Set<string>();
    const given: Initializer[] = [];
    for (const [name, place] of places) {
      signal?.throwIfAborted();
      if (place === "bound") parameters.set(name, await weights.hold(name));
      else if (place.held) inMemory.set(name, place.held);
      else {
        weights.countFileBytes(name, place.region.byteLength);
        // All sessions share one mapping of the file; without mmap each session reads the file by itself.
        given.push([`parameter:${name}`, weights.mapped(name)]);
        fromFile.add(name);
      }
    }
    // There is no await after this, so that no view that was made can be lost by an error.
    const views = [...inMemory].map(([name, { capacity, value }]) => {
      const view: OrtView = (value as OrtValue).view(capacity, 0);
      given.push([`parameter:${name}`, view]);
      return view;
    });
    return { parameters, fromFile, fromMemory: new Set(inMemory.keys()), given, views };
  }
}
