// What a model consists of: its parameters, an adapter if it has one, and what runs its programs. Calls must not overlap; the
// model that users hold queues them.
import type { CallQueue } from "../async/call_queue.ts";
import { explained } from "../errors/explained.ts";
import { DeviceLostError, LimnerError, OptionError } from "../errors/mod.ts";
import type { GenerationConfig, ModelRunner } from "../generation/mod.ts";
import type { Weights } from "../graph/mod.ts";
import { openRepository, readJson, type Repository, toPath } from "../hub/mod.ts";
import {
  type Architecture,
  loraNames,
  type LoraOptions,
  type ModelParameters,
  scalingOf,
  type VisionEncoderDecoderConfig,
} from "../models/mod.ts";
import type { LinearLayer, LoadedAdapter } from "../models/lora/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { ForwardRunner } from "./forward.ts";
import type { LoadOptions } from "./load_options.ts";
import { createRunner } from "./place_model.ts";
import type { SaveOptions } from "./save.ts";

/** What a trainer works on. A model whose embeddings are resized gets other parts, one with an adapter another architecture. */
export interface ModelParts {
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly parameters: ModelParameters;
  /** The model's calls, which a trainer's stand in one row with. */
  readonly calls: CallQueue;
  /** All of it, to which adapters are added. */
  readonly core: ModelCore;
  /** Release the buffers of the last generation. */
  releaseBuffers(): void;
  /** Put the model on another device where the one that it was on was lost: before a call. */
  recover(): Promise<void>;
}

/** What works on adapters, which few models have: it is loaded when it is needed. */
const loadLora = () => import("../models/lora/mod.ts");

/** A model without its queue of calls. */
export class ModelCore implements AsyncDisposable {
  #parameters: ModelParameters;
  #runner: ModelRunner;
  #forward: ForwardRunner;

  /** @param folders The real paths of the folders that the parameters are read from. */
  constructor(
    readonly config: VisionEncoderDecoderConfig,
    parameters: ModelParameters,
    runner: ModelRunner,
    readonly folders: readonly string[],
  ) {
    this.#parameters = parameters;
    this.#runner = runner;
    this.#forward = new ForwardRunner(runner.architecture, runner.backend, runner.weights);
  }

  get parameters(): ModelParameters {
    return this.#parameters;
  }

  get runner(): ModelRunner {
    return this.#runner;
  }

  get forward(): ForwardRunner {
    return this.#forward;
  }

  get architecture(): Architecture {
    return this.#runner.architecture;
  }

  get weights(): Weights {
    return this.#runner.weights;
  }

  /** A parameter's current value: the backend's where training changed it. */
  read(name: string): Promise<Tensor> {
    return this.#parameters.trained.has(name) ? this.weights.read(name) : this.#parameters.read(name);
  }

  /** Replace a parameter. @throws {ShapeError} As `ModelParameters.set` does. */
  async write(name: string, tensor: Tensor): Promise<void> {
    const value = this.#parameters.set(name, tensor);
    if (this.#parameters.isUsed(name)) await this.weights.write(name, value);
  }

  /** The parts as they now are. */
  parts(calls: CallQueue, options: LoadOptions): ModelParts {
    const { architecture, weights, parameters } = this;
    return {
      architecture,
      weights,
      parameters,
      calls,
      core: this,
      releaseBuffers: () => this.#runner.releaseSession(),
      recover: () => this.recover(options),
    };
  }

  /** Write the model, without an adapter that it has. @throws {OptionError} As `saveModel` does. */
  async save(folder: string | URL, generationConfig: GenerationConfig, options: SaveOptions): Promise<void> {
    const parameters = this.#parameters;
    const { saveModel } = await import("./save.ts");
    await saveModel(
      folder,
      { config: this.config, generationConfig, parameters, read: (name) => this.read(name) },
      options,
    );
    // Where the model was read from the same folder, its files are no longer there.
    const path = await Deno.realPath(toPath(folder));
    if (!this.folders.includes(path)) return;
    const repository = await openRepository(path);
    const { openCheckpoint, withBlocks } = await import("../checkpoint/mod.ts");
    const saved = withBlocks(await openCheckpoint(repository), await readJson(repository, "config.json"));
    parameters.adopt((name) => saved.find(name));
  }

  /** Give the decoder another number of tokens. @throws {ConfigError} If it is not a positive whole number. */
  async resize(vocabularySize: number, options: LoadOptions): Promise<void> {
    this.checkMerged("resize the embeddings");
    const { config, architecture: before } = this;
    const read = (name: string) => this.read(name);
    const { resizeEmbeddings } = await import("../models/parameters/resize_embeddings.ts");
    const resized = await resizeEmbeddings(config, before, this.#parameters, read, vocabularySize);
    const { architecture, parameters } = resized;
    await this.#replace(await createRunner(architecture, this.#runner.backend, parameters, options), parameters);
  }

  /**
   * Put the model on another device where the one that it was on was lost.
   *
   * @throws {DeviceLostError} If parameters that were trained are lost with it.
   */
  async recover(options: LoadOptions): Promise<void> {
    if (!this.weights.isLost) return;
    if (this.#parameters.trained.size > 0) {
      throw new DeviceLostError(
        "Cannot go on: the GPU device was lost, and with it what was trained; load the model again, or resume the " +
          "training where it was last saved",
      );
    }
    const { backend } = this.#runner;
    await backend.recover?.();
    await this.#replace(await createRunner(this.architecture, backend, this.#parameters, options), this.#parameters);
  }

  async #replace(runner: ModelRunner, parameters: ModelParameters): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#parameters = parameters;
    this.#runner = runner;
    this.#forward = new ForwardRunner(runner.architecture, runner.backend, runner.weights);
  }

  /** @throws {LimnerError} If there is an adapter. @param task What cannot be done with one. */
  checkMerged(task: string): void {
    if (!this.architecture.adapter) return;
    throw new LimnerError(
      `Cannot ${task}: the model has an adapter beside its weights; mergeAdapters() puts it into them, unloadAdapter() ` +
        "takes it away, and saveAdapter() writes it alone",
    );
  }

  /**
   * Add a new adapter that changes nothing yet.
   *
   * @returns The names of its parameters that programs read.
   * @throws {OptionError} If an option is out of its range, or names no layer.
   */
  async attachAdapter(options: LoraOptions): Promise<string[]> {
    this.checkMerged("add an adapter");
    const { createAdapter } = await loadLora();
    return await this.#attach(createAdapter(options, await this.#layers(), this.architecture.limits));
  }

  /** Add an adapter of PEFT's files. @throws As `readAdapter` does. */
  async loadAdapter(repository: Repository): Promise<void> {
    this.checkMerged(`load the adapter of ${repository.name}`);
    const task = () => `Cannot load the adapter of ${repository.name}`;
    const load = async () => {
      const { readAdapter } = await loadLora();
      return await this.#attach(await readAdapter(repository, await this.#layers(), this.architecture.limits));
    };
    await explained(task, load);
  }

  async #attach({ adapter, values }: LoadedAdapter): Promise<string[]> {
    this.#parameters.add(values);
    await this.#adapt(adapter);
    const read = new Set((await this.#layers()).filter(({ isRead }) => isRead).map(({ path }) => path));
    return [...adapter.layers.keys()].filter((path) => read.has(path)).flatMap((path) =>
      Object.values(loraNames(path))
    );
  }

  /** Take the adapter away. */
  async detachAdapter(): Promise<void> {
    const { layers } = this.#adapter("take the adapter away");
    await this.#adapt(undefined);
    const names = [...layers.keys()].flatMap((path) => Object.values(loraNames(path)));
    this.#parameters.remove(names);
    await this.weights.forget(names);
  }

  /** Put the adapter into the weights. @throws {OptionError} If it adapts a layer that shares its weight with another. */
  async mergeAdapter(): Promise<void> {
    const adapter = this.#adapter("merge the adapter");
    const layers = (await this.#layers()).filter(({ path }) => adapter.layers.has(path));
    for (const { path, tiedTo } of layers) {
      if (tiedTo === undefined) continue;
      throw new OptionError(
        `Cannot merge the adapter: "${path}" shares its weight with "${tiedTo}", which would change`,
      );
    }
    const { mergedWeight } = await loadLora();
    for (const { path, transposed, isRead } of layers) {
      const { a, b } = loraNames(path);
      const name = `${path}.weight`;
      const scaling = scalingOf(adapter, path);
      const parts = { a: await this.read(a), b: await this.read(b), scaling, byInput: transposed };
      const merged = mergedWeight(await this.read(name), parts);
      if (!isRead) this.#parameters.set(name, merged);
      else {
        await this.weights.write(name, merged);
        this.#parameters.trained.add(name); // so that the backend alone holds it
      }
    }
    await this.detachAdapter();
  }

  /** Write the adapter as PEFT's files. @param folder Made if it is missing. */
  async saveAdapter(folder: string | URL): Promise<void> {
    const adapter = this.#adapter("save the adapter");
    const layers = await this.#layers();
    const { otherModules, writeAdapter } = await loadLora();
    const { source, trained } = this.#parameters;
    await writeAdapter(folder, {
      adapter,
      layers,
      otherModules: otherModules(this.config, this.#parameters.declared.keys(), layers),
      typeOf: (name) => trained.has(name) ? "float32" : source.get(name)!.dataType,
      read: (name) => this.read(name),
    });
  }

  #adapter(task: string): NonNullable<Architecture["adapter"]> {
    const { adapter } = this.architecture;
    if (!adapter) throw new LimnerError(`Cannot ${task}: the model has none`);
    return adapter;
  }

  async #layers(): Promise<LinearLayer[]> {
    return (await loadLora()).linearLayers(this.config, this.architecture);
  }

  async #adapt(adapter: Architecture["adapter"]): Promise<void> {
    await this.#forward[Symbol.asyncDispose]();
    await this.#runner.adapt(adapter);
    this.#forward = new ForwardRunner(this.architecture, this.#runner.backend, this.weights);
  }

  /** Release programs and weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forward[Symbol.asyncDispose]();
    await this.#runner[Symbol.asyncDispose]();
  }
}
