// The backend: it opens weights, compiles graphs for the interpreter, and makes streams.
import { WorkQueue } from "../../src/async/work_queue.ts";
import { BackendError } from "../../src/errors/mod.ts";
import {
  type Backend,
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
import { allocateArray, sizeOf, type Tensor } from "../../src/tensor/mod.ts";
import { type HostBuffer, kernels, ReferenceProgram } from "./program.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { checkOpen, ReferenceStream } from "./stream.ts";
import { ReferenceWeights } from "./weights.ts";

/** The interpreter as a backend. */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly device = "plain TypeScript";
  readonly stepsPerRead = 1;
  readonly counters = newCounters();
  readonly #work = new WorkQueue();
  readonly #shared = { counters: this.counters, lastTurn: performance.now(), closed: false };

  supports(node: Node): boolean {
    return Object.hasOwn(kernels, node.operator.name);
  }

  async open(source: StoredWeights, { storage = "float32", trainable }: OpenOptions = {}): Promise<Weights> {
    checkOpen(this.#shared);
    // Weights in blocks are decoded: what is computed is exact for the numbers that they stand for.
    if (storage === "float16") {
      throw new BackendError("Cannot hold weights as float16: the reference backend holds float32", "reference");
    }
    const weights = new ReferenceWeights(source, this.counters);
    await weights.train([...source.keys()].filter((name) => trainable?.(name)));
    return weights;
  }

  async compile(graph: Graph, weights: Weights, options: { signal?: AbortSignal } = {}): Promise<Program> {
    checkOpen(this.#shared);
    const held = weights as ReferenceWeights;
    const { tensors, source } = held;
    checkParameters(graph, source, (name) => held.trained.has(name));
    for (const name of graph.parameters.keys()) {
      options.signal?.throwIfAborted();
      await held.load(name);
    }
    checkOpen(this.#shared);
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
    checkOpen(this.#shared);
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
    checkOpen(this.#shared);
    return new ReferenceStream(this.#shared, this.#work.lane({ signal }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shared.closed = true;
    await this.#work.settled(() => {});
  }
}
