// The ffi backend: libonnxruntime called through Deno FFI. A graph becomes an ONNX model in memory, which ONNX Runtime
// optimises and runs on the CPU; runs are nonblocking, one after another.
import { BackendError } from "../../src/errors.ts";
import {
  type Backend,
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
} from "../../src/graph/mod.ts";
import type { DataType } from "../../src/tensor/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { supportsNode, toOnnx } from "../onnx/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { findLibrary, givenPath, whyNoPackage } from "./library.ts";
import { type Compiled, FfiProgram } from "./program.ts";
import { cString, OutPointer, Runtime } from "./runtime.ts";
import { FfiStream } from "./stream.ts";
import { OrtTensor, type OrtView } from "./value.ts";
import { FfiWeights } from "./weights.ts";

class FfiBackend implements Backend {
  readonly name = "ffi";
  readonly stepsPerRead = 1;

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
    checkParameters(graph, held.source);
    graph = prepare(graph, (node) => this.supports(node));
    return await held.exclusively(async () => {
      const names = new Set([...graph.parameters.keys()].filter((name) => held.external(name)));
      const compile = (packed: boolean, fusesCaches: boolean) => this.#compile(graph, held, { packed, fusesCaches });
      const pack = await held.shareOut(names);
      signal?.throwIfAborted();
      const compiled = await this.#compile(graph, held, { packed: pack, fusesCaches: true, signal });
      return new FfiProgram(this.runtime, graph, held, compile, compiled);
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
    const model = toOnnx(graph, (name) => weights.external(name) ?? "bound", { fusesCaches });
    const parameters = new Map<string, OrtTensor>();
    const fromFile = new Set<string>();
    for (const name of graph.parameters.keys()) {
      signal?.throwIfAborted();
      if (model.boundParameters.has(name)) parameters.set(name, await weights.hold(name));
      else {
        weights.countExternal(name, weights.external(name)!.byteLength);
        fromFile.add(name);
      }
    }
    weights.checkFiles(fromFile);
    // Sessions read the file's pages through one mapping that all share; without mmap each reads the file by itself.
    const mapped = [...fromFile].map((name) => [`parameter:${name}`, weights.mapped(name)] as const);
    const create = () => this.#createSession(model.bytes, graph.name, { folder: weights.folder, packed, mapped });
    const session = packed ? await weights.lettingGo(create) : await create();
    try {
      weights.checkFiles(fromFile);
    } catch (error) {
      this.runtime.api.releaseSession(session);
      throw error;
    }
    return { model, session, parameters, fromFile, packed };
  }

  async #createSession(
    bytes: Uint8Array<ArrayBuffer>,
    name: string,
    { folder, packed, mapped }: {
      folder: string | undefined;
      packed: boolean;
      mapped: readonly (readonly [name: string, view: OrtView | undefined])[];
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
      for (const [key, view] of mapped) {
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
