// How long products take on a device, by its timestamps: all that is asked for is submitted at once, and read once.
import type { Device } from "../device/device.ts";
import type { MatmulShape, MatvecShape, Profile } from "../device/profile.ts";
import { Recorder } from "../device/submission_queue.ts";
import { type MatrixProduct, matvecKernel } from "../kernels/matvec.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { tiledKernel } from "../kernels/tiled_matmul.ts";
import { DispatchList } from "../program/dispatch_list.ts";
import { type Storage, wholeView } from "../program/view.ts";
import type { ProductClass } from "./candidates.ts";

/** A product to time: of a class, by a shape. */
export interface Trial<S extends MatvecShape | MatmulShape = MatvecShape | MatmulShape> {
  readonly of: ProductClass;
  readonly shape: S;
}

/** How often each is run; the fastest counts, since the first brings memory into caches. */
const repeats = 3;

/** A buffer of float32 for all classes. */
function memory(elements: number): Extract<Storage, { kind: "temporary" }> {
  return { kind: "temporary", elements: () => elements };
}

/**
 * Time products.
 *
 * @param milliseconds What is not compiled by then is not timed.
 * @returns The microseconds of each; undefined where it was not timed, or the device has no timestamps.
 */
export async function measure(
  device: Device,
  profile: Profile,
  trials: readonly Trial[],
  milliseconds: number,
): Promise<(number | undefined)[]> {
  if (!device.gpu.features.has("timestamp-query")) return trials.map(() => undefined);
  const most = (size: (of: ProductClass) => number) => Math.max(...trials.map(({ of }) => size(of)));
  const storages = {
    x: memory(most(({ rows, inputs }) => rows * inputs)),
    weights: memory(most(({ inputs, outputs }) => inputs * outputs)),
    target: memory(most(({ rows, outputs }) => rows * outputs)),
  };
  const buffers = new Map<Storage, GPUBuffer>(
    Object.values(storages).map((storage) => [storage, device.createBuffer(4 * storage.elements(Number))]),
  );
  try {
    const lists = await compile(device, trials.map((trial) => dispatchOf(trial, storages, profile)), milliseconds);
    let failed = false;
    const recorder = new Recorder(device.queue, () => failed = true);
    const trace = device.startTrace();
    for (let time = 0; time < repeats; time++) {
      for (const list of lists) list?.record(recorder, (storage) => ({ buffer: buffers.get(storage)! }));
    }
    recorder.flush();
    const times = await trace.take();
    const timed = lists.filter((list) => list !== undefined).length;
    let at = 0;
    return lists.map((list) => {
      if (!list || failed) return undefined;
      const own = Array.from({ length: repeats }, (_, time) => times[time * timed + at]);
      at++;
      return Math.min(...own.map(({ begin, end }) => end! - begin!));
    });
  } finally {
    device.stopTrace();
    for (const buffer of buffers.values()) device.release(buffer);
  }
}

/** Compile kernels one after the other, as many as there is time for. */
async function compile(
  device: Device,
  dispatches: readonly Dispatch[],
  milliseconds: number,
): Promise<(DispatchList | undefined)[]> {
  const end = performance.now() + milliseconds;
  const lists: (DispatchList | undefined)[] = [];
  for (const dispatch of dispatches) {
    lists.push(performance.now() < end ? await DispatchList.compile(device, [dispatch]) : undefined);
  }
  return lists;
}

function dispatchOf(
  { of: { rows, inputs, outputs }, shape }: Trial,
  storages: Readonly<Record<"x" | "weights" | "target", Storage>>,
  profile: Profile,
): Dispatch {
  const product: MatrixProduct = {
    x: wholeView(storages.x, "float32", [rows, inputs]),
    rows,
    stride: inputs,
    inputs,
    outputs,
    weights: { words: wholeView(storages.weights, "float32", [outputs, inputs]), storage: "float32", inputs },
    from: 0,
    to: outputs,
    epilogue: {},
    target: wholeView(storages.target, "float32", [rows, outputs]),
  };
  return "tile" in shape ? tiledKernel(product, shape) : matvecKernel(product, { rows: 1, shape }, profile);
}
