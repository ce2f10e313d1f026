// The reference backend: a plain interpreter of the primitives, the oracle that the others are held against.
// It runs work when it is queued; an error still surfaces at the stream's next read, as on a device.
import { WorkQueue } from "../../src/async/work_queue.ts";
import { BackendError, ShapeError } from "../../src/errors/mod.ts";
import {
  type Backend,
  type BackendDetails,
  type BackendReport,
  checkParameters,
  type DeviceTensor,
  type Graph,
  newCounters,
  type Node,
  type OpenOptions,
  type Program,
  type Stream,
  type StreamOptions,
  type Weights,
} from "../../src/graph/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { allocateArray, isFloat, sizeOf, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import { type HostBuffer, kernels, ReferenceProgram } from "./program.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { ReferenceStream } from "./stream.ts";

class ReferenceWeights implements Weights {
  readonly tensors = new Map<string, Tensor>();
  readonly trained = new Set<string>();

  constructor(readonly source: StoredWeights, readonly counters: { weightBytes: number; deviceBytes: number }) {}

  /** Hold a parameter, as float32 if it is a floating-point number. */
  async load(name: string): Promise<void> {
    if (this.tensors.has(name)) return;
    this.#set(name, await this.source.get(name)!.load());
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
      await this.load(name);
      this.trained.add(name);
    }
  }

  read(name: string): Promise<Tensor> {
    const held = this.tensors.get(name);
    return held
      ? Promise.resolve(new Tensor(held.dataType, held.shape, held.data.slice()))
      : this.source.get(name)!.load();
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.#set(name, tensor);
    await Promise.resolve();
  }

  #set(name: string, { dataType, shape, data }: Tensor): void {
    const held = isFloat(dataType)
      ? new Tensor("float32", shape, Float32Array.from(toFloat32(dataType, data)))
      : new Tensor(dataType, shape, data.slice());
    this.#count(held.data.byteLength - (this.tensors.get(name)?.data.byteLength ?? 0));
    this.tensors.set(name, held);
  }

  #count(bytes: number): void {
    this.counters.weightBytes += bytes;
    this.counters.deviceBytes += bytes;
  }

  [Symbol.dispose](): void {
    for (const { data } of this.tensors.values()) this.#count(-data.byteLength);
    this.tensors.clear();
  }
}

class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly device = "plain TypeScript";
  readonly stepsPerRead = 1;
  readonly counters = newCounters();
  readonly #work = new WorkQueue();
  readonly #shared = { counters: this.counters, lastTurn: performance.now() };

  supports(node: Node): boolean {
    return Object.hasOwn(kernels, node.operator.name);
  }

  async open(source: StoredWeights, { storage = "float32", trainable }: OpenOptions = {}): Promise<Weights> {
    if (storage !== "float32") {
      throw new BackendError(`Cannot hold weights as ${storage}: the reference backend holds float32`, "reference");
    }
    const weights = new ReferenceWeights(source, this.counters);
    await weights.train([...source.keys()].filter((name) => trainable?.(name)));
    return weights;
  }

  async compile(graph: Graph, weights: Weights, options: { signal?: AbortSignal } = {}): Promise<Program> {
    const held = weights as ReferenceWeights;
    const { tensors, source } = held;
    checkParameters(graph, source, (name) => held.trained.has(name));
    for (const name of graph.parameters.keys()) {
      options.signal?.throwIfAborted();
      await held.load(name);
    }
    return new ReferenceProgram(prepare(graph, (node) => this.supports(node)), {
      parameter: (name) => tensors.get(name)!,
      count: (nodes) => {
        this.counters.runs++;
        this.counters.dispatches += nodes;
      },
      live: (change) => this.counters.liveHandles += change,
    });
  }

  allocate(dataType: Tensor["dataType"], capacity: readonly number[]): DeviceTensor {
    const data = allocateArray(dataType, sizeOf(capacity));
    this.counters.liveHandles++;
    this.counters.deviceBytes += data.byteLength;
    let live = true;
    const buffer: HostBuffer = {
      dataType,
      capacity,
      data,
      [Symbol.dispose]: () => {
        if (!live) return;
        live = false;
        this.counters.liveHandles--;
        this.counters.deviceBytes -= data.byteLength;
      },
    };
    return buffer;
  }

  stream({ signal }: StreamOptions = {}): Stream {
    return new ReferenceStream(this.#shared, this.#work.lane({ signal }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

/** Load the reference backend; it runs everywhere. */
export function load(): Promise<Backend> {
  return Promise.resolve(new ReferenceBackend());
}

/** There is nothing behind it. */
export function inspect(): Promise<BackendDetails> {
  return Promise.resolve({});
}

/** The reference backend is always available. */
export function report(): Promise<BackendReport> {
  return Promise.resolve({ name: "reference", available: true, device: "plain TypeScript", reason: "" });
}
