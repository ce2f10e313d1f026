// A graph as it was compiled: its steps and pipelines, which a program and all its runs share.
import type { Graph } from "../../../src/graph/mod.ts";
import type { Device } from "../device/device.ts";
import type { Pipeline } from "../device/pipelines.ts";
import type { GpuWeights, LayoutsByName } from "../weights/gpu_weights.ts";
import type { Sequence } from "./sequences.ts";
import type { Step } from "./step.ts";

/** A compiled graph. */
export interface CompiledGraph {
  readonly graph: Graph;
  readonly device: Device;
  readonly weights: GpuWeights;
  /** The layouts in which the graph reads parameters. */
  readonly neededLayouts: LayoutsByName;
  /** The names of the parameters that it writes. */
  readonly writes: ReadonlySet<string>;
  readonly steps: readonly Step[];
  /** Kernels that do the work of several steps. */
  readonly sequences: readonly Sequence[];
  readonly pipelines: ReadonlyMap<string, Pipeline>;
}
