// Dispatches of their own, outside of any program: what packs weights again, or is timed.
import { checkBinding, GraphBuilder } from "../../../src/graph/mod.ts";
import type { Device } from "../device/device.ts";
import type { Pipeline } from "../device/pipelines.ts";
import type { Recorder } from "../device/submission_queue.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { BindGroupCache, type Resource } from "./bind_group_cache.ts";
import { type Schedule, schedule } from "./schedule.ts";
import type { Storage } from "./view.ts";

/** Dispatches that are compiled once, and recorded as often as they are needed. */
export class DispatchList {
  readonly #schedule: Schedule;

  private constructor(
    readonly device: Device,
    readonly groups: BindGroupCache,
    dispatches: readonly Dispatch[],
    readonly pipelines: readonly Pipeline[],
  ) {
    const binding = checkBinding(new GraphBuilder("dispatches").build(), {}, {});
    const { alignment } = device.queue;
    this.#schedule = schedule(dispatches.map((dispatch) => [{ dispatch }]), binding, { alignment });
  }

  /** Compile dispatches whose sizes are all known. */
  static async compile(device: Device, dispatches: readonly Dispatch[]): Promise<DispatchList> {
    const pipelines = await Promise.all(dispatches.map((dispatch) => device.compile(dispatch)));
    return new DispatchList(device, new BindGroupCache(device), dispatches, pipelines);
  }

  /** @param resource What a storage is bound to. */
  record(recorder: Recorder, resource: (storage: Storage) => Resource): void {
    const { entries, block } = this.#schedule;
    const base = this.device.queue.reserve(block);
    for (const { dispatch, index, at, workgroups } of entries) {
      const { pipeline, layout } = this.pipelines[index];
      const pass = recorder.passOf(dispatch, () => ({ workgroups, bytes: 0, operations: undefined }));
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.groups.find(dispatch, layout, dispatch.storages.map(resource)), [base + 4 * at]);
      pass.dispatchWorkgroups(...workgroups);
      this.device.counters.dispatches++;
    }
  }
}
