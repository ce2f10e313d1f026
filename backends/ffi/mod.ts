// The ffi backend: libonnxruntime called through Deno FFI. A graph becomes an ONNX model in memory, which ONNX Runtime
// optimises and runs on the CPU; runs are nonblocking, one after another.
import { BackendError } from "../../src/errors/mod.ts";
import {
  type Backend,
  type BackendDetails,
  type BackendOptions,
  type BackendReport,
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
import { inspectLibrary } from "./inspect.ts";
import { findLibrary, givenPath, whyNoPackage } from "./library.ts";
import type { Compiled } from "./compiled.ts";
import { FfiProgram } from "./program.ts";
import { cString, OutPointer, Runtime } from "./runtime.ts";
import { FfiStream } from "./stream.ts";
import { OrtTensor, OrtView } from "./value.ts";
import { FfiWeights, type Place } from "./weights.ts";

/** An initializer of a model, and its memory where that is given. */
type Initializer = readonly [name: string, view: OrtView | undefined];

/** The parameters of a program, and what its session is given of them. */
type Found = Pick<Compiled, "parameters" | "fromFile" | "fromMemory" | "views"> & {
  readonly given: readonly Initializer[];
};

class FfiBackend implements Backend {
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
      const names = new Set([...graph.parameters.keys()].filter((name) => held.external(name)));
      const compile = (packed: boolean, fusesCaches: boolean) => this.#compile(graph, held, { packed, fusesCaches });
      // What trains leaves it to the others to be fast: it reads what they have packed as it lies in the file.
      const pack = writtenParameters(graph).size === 0 && await held.shareOut(names);
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
  ): Promise<Compiled> {
    const { version } = weights;
    const writes = writtenParameters(graph).size > 0;
    const names = [...graph.parameters.keys()];
    const places = new Map<string, Place>();
    for (const name of names) places.set(name, await weights.placeOf(name, !writes));
    const model = toOnnx(graph, (name) => {
      const place = places.get(name)!;
      return place === "bound" ? place : place.region;
    }, { fusesCaches });
    const found = await this.#find(places, weights, signal);
    const { fromFile, given, views } = found;
    let session: Deno.PointerObject | undefined;
    try {
      weights.checkFiles(fromFile);
      const create = () => this.#createSession(model.bytes, graph.name, { folder: weights.folder, packed, given });
      session = packed ? await weights.lettingGo(create) : await create();
      weights.checkFiles(fromFile);
      return { ...found, model, session, version };
    } catch (error) {
      if (session) this.runtime.api.releaseSession(session);
      for (const view of views) view.release();
      throw error;
    }
  }

  /** Find the parameters of a program where they are: bound at each run, given as they lie in memory, or in their file. */
  async #find(places: ReadonlyMap<string, Place>, weights: FfiWeights, signal?: AbortSignal): Promise<Found> {
    const [parameters, inMemory] = [new Map<string, OrtTensor>(), new Map<string, OrtTensor>()];
    const fromFile = new Set<string>();
    const given: Initializer[] = [];
    for (const [name, place] of places) {
      signal?.throwIfAborted();
      if (place === "bound") parameters.set(name, await weights.hold(name));
      else if (place.held) inMemory.set(name, place.held);
      else {
        weights.countExternal(name, place.region.byteLength);
        // Sessions read the file's pages through one mapping that all share; without mmap each reads the file by itself.
        given.push([`parameter:${name}`, weights.mapped(name)]);
        fromFile.add(name);
      }
    }
    // Nothing is waited for any more: views that were made cannot be lost.
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
    { folder, packed, given }: {
      folder: string | undefined;
      packed: boolean;
      given: readonly Initializer[];
    },
  ): Promise<Deno.PointerObject> {
    const { runtime } = this;
    const { api } = runtime;
    const options = runtime.create("make session options", (out) => api.createSessionOptions(out));
    try {
      runtime.check(api.disablePerSessionThreads(options), "share the threads");
      const entry = (key: string, value: string) =>
        runtime.check(api.addSessionConfigEntry(options, cString(key), cString(value)), `set ${key}`);
      // A plan of a run's memory is kept beside what the first run took, and saves no time.
      runtime.check(api.disableMemPattern(options), "do without memory patterns");
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

const noFfi = "this runtime has no FFI";
const noPermission = "it needs --allow-ffi";

/**
 * Load ONNX Runtime.
 *
 * @throws {BackendError} If the library is not to be had, too old, or FFI is not allowed.
 */
export async function load(options: BackendOptions = {}): Promise<Backend> {
  const fail = (reason: string): never => {
    throw new BackendError(`Cannot load the ffi backend: ${reason}`, "ffi");
  };
  if (typeof Deno.dlopen !== "function") fail(noFfi);
  if (options.threads !== undefined && !(Number.isInteger(options.threads) && options.threads > 0)) {
    fail(`threads is ${options.threads}, expected a whole number above 0`);
  }
  // Asked for before the library is looked for, which may be a large download.
  if ((await Deno.permissions.request({ name: "ffi" })).state !== "granted") fail(noPermission);
  const runtime = Runtime.open(await findLibrary(options), options);
  const threads = options.threads ?? navigator.hardwareConcurrency;
  return new FfiBackend(runtime, `CPU, ${threads} threads`);
}

/**
 * The library with its version and providers; it is fetched where it must be.
 *
 * @throws {BackendError} If it is not to be had, or FFI is not allowed.
 */
export async function inspect(options: BackendOptions = {}): Promise<BackendDetails> {
  const { available, reason } = await report(options);
  if (!available) throw new BackendError(`Cannot inspect the ffi backend: ${reason}`, "ffi");
  return inspectLibrary(await findLibrary(options));
}

/** Whether the backend could be loaded; nothing is downloaded to find out. */
export function report(options: BackendOptions = {}): Promise<BackendReport> {
  const answer = (reason: string): BackendReport => ({
    name: "ffi",
    available: reason === "",
    device: reason === "" ? `CPU, ${options.threads ?? navigator.hardwareConcurrency} threads` : "",
    reason,
  });
  if (typeof Deno.dlopen !== "function") return Promise.resolve(answer(noFfi));
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return Promise.resolve(answer(noPermission));
  }
  const given = givenPath(options);
  if (given !== undefined) {
    try {
      if (!Deno.statSync(given).isFile) return Promise.resolve(answer(`${given} is not a file`));
    } catch (error) {
      return Promise.resolve(answer((error as Error).message));
    }
  }
  return Promise.resolve(answer(given === undefined ? whyNoPackage() : ""));
}
