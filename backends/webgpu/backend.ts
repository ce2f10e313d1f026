// The backend on one device: it allocates memory, makes streams of work, and compiles graphs into steps and pipelines.
import {
  type Backend,
  checkParameters,
  type Counters,
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
import type { DataType } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import type { Device } from "./device/device.ts";
import type { Trace } from "./device/trace.ts";
import { writeTrace } from "./device/trace_files.ts";
import { GpuTensor } from "./device/gpu_tensor.ts";
import { type Layout, layoutKey } from "./weights/layout.ts";
import { isSupported, lower } from "./program/lowerings.ts";
import { Planner } from "./program/planner.ts";
import { sequencesOf } from "./program/sequences.ts";
import type { Step } from "./program/step.ts";
import type { Dispatch } from "./kernels/shader.ts";
import type { Profile } from "./device/profile.ts";
import type { Pipeline } from "./device/pipelines.ts";
import { GpuProgram } from "./program/program.ts";
import { wholeStorage } from "./program/view.ts";
import { GpuStream } from "./device/stream.ts";
import { GpuWeights } from "./weights/gpu_weights.ts";

/** WGSL kernels on one WebGPU device. */
export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  /** On a device in software the steps after a text's end are dear, and reads that do not sleep cost little. */
  readonly stepsPerRead: number;
  /** A device in software computes on the processor: steps that are thrown away would cost what they are to save. */
  readonly readsInFlight: number;
  /** The device, which the backend owns. */
  #gpu: Device;

  /**
   * @param gpu The device, which the backend owns.
   * @param profile The kind of device that kernels are written for.
   * @param device The device's name, for a person to read.
   * @param options.debugFolder Where kernels and dispatches with their times are written to when the backend is released.
   * @param options.reopen Opens another device where the last one was lost.
   */
  constructor(
    gpu: Device,
    readonly profile: Profile,
    readonly device: string,
    readonly options: { readonly debugFolder?: string; readonly reopen?: () => Promise<Device> } = {},
  ) {
    this.#gpu = gpu;
    if (options.debugFolder !== undefined) gpu.startTrace();
    this.readsInFlight = profile.gpu ? 2 : 1;
    this.stepsPerRead = profile.gpu || !gpu.readsAtOnce ? 8 : 4;
  }

  get counters(): Counters {
    return this.#gpu.counters;
  }

  async recover(): Promise<void> {
    const { reopen, debugFolder } = this.options;
    if (!this.#gpu.isLost || !reopen) return;
    const lost = this.#gpu;
    this.#gpu = await reopen();
    lost.close();
    if (debugFolder !== undefined) this.#gpu.startTrace();
  }

  supports(node: Node): boolean {
    return isSupported(node);
  }

  async open(source: StoredWeights, options: OpenOptions = {}): Promise<Weights> {
    return await Promise.resolve(new GpuWeights(source, this.#gpu, this.profile, options));
  }

  async compile(graph: Graph, weights: Weights, options: { signal?: AbortSignal } = {}): Promise<Program> {
    const held = weights as GpuWeights;
    options.signal?.throwIfAborted();
    this.#gpu.check();
    checkParameters(graph, held.source, (name) => held.isTrained(name));
    graph = prepare(graph, (node) => this.supports(node));
    const planner = new Planner(graph, {
      profile: this.profile,
      maxBinding: this.#gpu.maxBinding,
      encoding: (name) => held.encodingOf(name),
      numbers: (name) => held.numbersOf(name),
      rounds: held.rounds,
    });
    const steps = planner.plan((node) => lower(planner, node));
    const { maxStorageBuffersPerShaderStage: buffers, maxStorageTexturesPerShaderStage: texels } = this.#gpu.gpu.limits;
    const sequences = sequencesOf(graph, steps, { profile: this.profile, limits: { buffers, texels } });
    const pipelines = this.#compileKernels([...dispatchesOf(steps), ...sequences.map(({ dispatch }) => dispatch)]);
    // A kernel that fails to compile is reported below, after the weights are loaded.
    pipelines.catch(() => {});
    const neededLayouts = layoutsOf(steps);
    await held.load(neededLayouts, options.signal);
    const writes = writtenParameters(graph);
    return new GpuProgram({
      graph,
      device: this.#gpu,
      weights: held,
      neededLayouts,
      writes,
      steps,
      sequences,
      pipelines: await pipelines,
    });
  }

  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor {
    return new GpuTensor(this.#gpu.buffers, dataType, capacity, this.profile);
  }

  stream(options: StreamOptions = {}): Stream {
    return new GpuStream(this.#gpu, options);
  }

  /** Note all dispatches from now on; their times are taken from what this returns. */
  startTrace(): Trace {
    return this.#gpu.startTrace();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gpu.settle();
    try {
      const { debugFolder } = this.options;
      if (debugFolder !== undefined) await writeTrace(debugFolder, await this.#gpu.trace!.take());
    } finally {
      this.#gpu.close();
    }
  }

  async #compileKernels(dispatches: readonly Dispatch[]): Promise<Map<string, Pipeline>> {
    const kernels = new Map(
      dispatches.filter(({ copies }) => !copies).map((dispatch) => [dispatch.code, dispatch]),
    );
    const compiled = await Promise.all(
      [...kernels].map(async ([code, dispatch]) => [code, await this.#gpu.compile(dispatch)] as const),
    );
    return new Map(compiled);
  }
}

/** The dispatches of all variants of steps. */
function dispatchesOf(steps: readonly Step[]): Dispatch[] {
  return steps.flat().flatMap(({ dispatch }) => dispatch ? [dispatch] : []);
}

/** The layouts in which a plan reads each parameter. */
function layoutsOf(steps: readonly Step[]): Map<string, Layout[]> {
  const layouts = new Map<string, Map<string, Layout>>();
  for (const { storages } of dispatchesOf(steps)) {
    for (const storage of storages.map(wholeStorage)) {
      if (storage.kind !== "weights") continue;
      const own = layouts.get(storage.name) ?? new Map<string, Layout>();
      layouts.set(storage.name, own.set(layoutKey(storage.layout), storage.layout));
    }
  }
  return new Map([...layouts].map(([name, own]) => [name, [...own.values()]]));
}
