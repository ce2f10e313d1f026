// Whether "auto" takes a real GPU instead of the processor: for a model that it is estimated to be faster for. What is known
// soonest is asked first, so that a machine without a GPU, and a small model, are not kept waiting by one.
import type { Backend, BackendModule, BackendOptions, BackendReport, ModelWork } from "../src/graph/mod.ts";
import { type Choice, faster, needsNoGpu, whyNotGpu } from "./measured/faster_backend.ts";
import { Speeds } from "./measured/speeds.ts";

/** What may be chosen besides the processor. */
export interface Rival {
  /** The module of the GPU's backend, which is imported where it is needed. */
  readonly module: () => Promise<BackendModule>;
  /** Where speeds are remembered. @default in the user's cache */
  readonly speeds?: Speeds;
}

/** The GPU's backend, once it was loaded. */
class Loading {
  #backend: Promise<Backend> | undefined;

  constructor(readonly module: BackendModule, readonly options: BackendOptions) {}

  /** Load it, once. */
  readonly get = (): Promise<Backend> => this.#backend ??= this.module.load(this.options);

  /** Release it, if it was loaded. */
  async release(): Promise<void> {
    if (this.#backend) await (await this.#backend.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

/**
 * The faster backend for a model: one on the processor that is loaded, or a GPU's. The other is released. Where that cannot
 * be known it is the processor's.
 *
 * @param processor On the processor.
 * @param options.work The model's; `options.autotune` forbids measuring.
 */
export async function chooseFaster(
  processor: Backend,
  options: BackendOptions & { readonly work: () => Promise<ModelWork> },
  rival: Rival,
): Promise<Backend> {
  let gpu: Loading | undefined;
  let chosen: Choice;
  try {
    // Of the model's work nothing is known where its files cannot be read.
    const work = await options.work();
    try {
      chosen = await choose(processor, { work, ...rival, load: (module) => gpu = new Loading(module, options) });
      if (chosen.name === "webgpu") await gpu!.get();
    } catch (error) {
      // Whatever a driver throws, the model loads.
      chosen = { name: processor.name, reason: `the speed of a GPU cannot be measured: ${(error as Error).message}` };
    }
  } catch (error) {
    await gpu?.release();
    await processor[Symbol.asyncDispose]();
    throw error;
  }
  options.onChoice?.(`${chosen.name}, as ${chosen.reason}`);
  if (chosen.name === processor.name) {
    await gpu?.release();
    return processor;
  }
  await processor[Symbol.asyncDispose]();
  return await gpu!.get();
}

async function choose(
  processor: Backend,
  { work, module, speeds, load }: Rival & {
    readonly work: ModelWork;
    readonly load: (module: BackendModule) => Loading;
  },
): Promise<Choice> {
  const { name } = processor;
  speeds ??= await Speeds.ofUser();
  const known = await speeds.known(processor);
  const soon = "a text takes less time there than a GPU is waited for";
  if (known && needsNoGpu(work, known)) return { name, reason: soon };
  const webgpu = await module();
  const report: BackendReport = await webgpu.report();
  const reason = whyNotGpu(report);
  if (reason !== undefined) return { name, reason };
  const own = known ?? await speeds.of(processor, () => Promise.resolve(processor));
  if (needsNoGpu(work, own)) return { name, reason: soon };
  const rates = await speeds.of(report, load(webgpu).get);
  return faster(work, { ...processorOf(processor), rates: own }, { name: "webgpu", device: report.device, rates });
}

const processorOf = ({ name, device }: Backend) => ({ name, device });
