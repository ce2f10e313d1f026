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
import { supportsNode, toOnnx } from "../onnx/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import type { CompiledSession } from "./compiled_session.ts";
import { FfiProgram } from "./program.ts";
import { cString, OutPointer, type Runtime } from "./runtime.ts";
import { FfiStream } from "./stream.ts";
import { OrtTensor, OrtView } from "./ort_value.ts";
import { FfiWeights, type ParameterPlacement } from "./weights.ts";

/** An initializer of a model, and its memory where that is given. */
type Initializer = readonly [name: string, view: OrtView | undefined];

/** The parameters of a program, and the initializers that its session gets. */
type SessionParameters = Pick<CompiledSession, "parameters" | "fromFile" | "fromMemory" | "views"> & {
  readonly given: readonly Initializer[];
};

function holdsMemory(place: ParameterPlacement): boolean {
  return place !== "bound" && place.held !== undefined;
}

/** ONNX Runtime on the CPU. */
export class FfiBackend implements Backend {
  readonly name = "ffi";
  readonly stepsPerRead = 1;
  readonly mapsFiles = true;

  constructor(readonly runtime: Runtime, readonly device: string) {}

  get counters(): Runtime["counters"] {
    return this.runtime.counters;
  }

  supports(node: Node): boolean {
    return supportsNode(node);
  }

  open(source: StoredWeights, options: OpenOptions = {}): Promise<Weights> {
    if (options.storage !== undefined && options.storage !== "float32") {
      throw new BackendError(`Cannot hold weights as ${options.storage}: the ffi backend holds float32`, "ffi");
    }
    return Promise.resolve(new FfiWeights(this.runtime, source, options));
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
      return new FfiProgram(this.runtime, graph, held, compile, pack, compiled);
    });
  }

  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor {
    return new OrtTensor(this.runtime, dataType, capacity);
  }

  stream(options: StreamOptions = {}): Stream {
    return new FfiStream(this.runtime, options);
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
      }, { fusesCaches });
    let model = lower();
    // ONNX Runtime folds constants with what is in the file, and not with the memory that it is given.
    const stale = [...model.foldedParameters].filter((name) => holdsMemory(places.get(name)!));
    if (stale.length > 0) {
      for (const name of stale) places.set(name, "bound");
      model = lower();
    }
    const found = await this.#findParameters(places, weights, signal);
    const { fromFile, given, views } = found;
    let session: Deno.PointerObject | undefined;
    try {
      weights.checkFiles(fromFile);
      const create = () =>
        this.#createSession(model.bytes, graph.name, { folder: weights.folder, packed, given, writes });
      session = packed ? await weights.releasingPages(create) : await create();
      weights.checkFiles(fromFile);
      return { ...found, model, session, version };
    } catch (error) {
      if (session) this.runtime.api.releaseSession(session);
      for (const view of views) view.release();
      throw error;
    }
  }

  /** Find where the parameters of a program are: bound at each run, in memory as initializers, or in their file. */
  async #findParameters(
    places: ReadonlyMap<string, ParameterPlacement>,
    weights: FfiWeights,
    signal?: AbortSignal,
  ): Promise<SessionParameters> {
    const [parameters, inMemory] = [new Map<string, OrtTensor>(), new Map<string, OrtTensor>()];
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
    const views = [...inMemory].map(([name, { dataType, capacity, value }]) => {
      const view = new OrtView(this.runtime, dataType, capacity, value.at(0));
      given.push([`parameter:${name}`, view]);
      return view;
    });
    return { parameters, fromFile, fromMemory: new Set(inMemory.keys()), given, views };
  }

  async #createSession(
    bytes: Uint8Array<ArrayBuffer>,
    name: string,
    { folder, packed, given, writes }: {
      folder: string | undefined;
      packed: boolean;
      given: readonly Initializer[];
      writes: boolean;
    },
  ): Promise<Deno.PointerObject> {
    const { runtime } = this;
    const { api } = runtime;
    const options = runtime.create("make session options", (out) => api.createSessionOptions(out));
    try {
      runtime.check(api.disablePerSessionThreads(options), "share the threads");
      const entry = (key: string, value: string) =>
        runtime.check(api.addSessionConfigEntry(options, cString(key), cString(value)), `set ${key}`);
      // Memory patterns hold memory beside that of the first run, and save no time.
      runtime.check(api.disableMemPattern(options), "do without memory patterns");
      // A step of training takes and gives back gigabytes, of which an arena would keep the holes.
      if (writes) runtime.check(api.disableCpuMemArena(options), "do without an arena");
      if (!packed) entry("session.disable_prepacking", "1");
      entry("session.use_device_allocator_for_initializers", "1");
      if (folder) entry("session.model_external_initializers_file_folder_path", folder);
      for (const [key, view] of given) {
        if (view) runtime.check(api.addInitializer(options, cString(key), view.pointer), `give ${key}`);
      }
      const out = new OutPointer();
      const length = BigInt(bytes.length);
      const buffer = out.buffer as BigUint64Array<ArrayBuffer>;
      runtime.pinned.add(bytes);
      const status = await api.createSessionFromArray(runtime.environment, bytes, length, options, buffer);
      runtime.check(status, `compile ${name}`);
      return out.value;
    } finally {
      runtime.pinned.delete(bytes);
      api.releaseSessionOptions(options);
    }
  }
}
