// What a program on the GPU is made of, which its uses share.
import type { Graph } from "../../../src/graph/mod.ts";
import type { Device } from "../device/device.ts";
import type { Pipeline } from "../device/pipelines.ts";
import type { GpuWeights, Wanted } from "../weights/weights.ts";
import type { Step } from "./planner.ts";

/** What a program is made of. */
export interface ProgramParts {
  readonly graph: Graph;
  readonly device: Device;
  readonly weights: GpuWeights;
  /** The parameters that it reads, in their layouts, and those that it writes. */
  readonly wanted: Wanted;
  readonly writes: ReadonlySet<string>;
  readonly steps: readonly Step[];
  readonly pipelines: ReadonlyMap<string, Pipeline>;
}
