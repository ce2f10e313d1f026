// Fine-tuning: a model's parameters moved, step by step, so that the loss on what it is shown goes down.
import { LimnerError, OptionError } from "../errors/mod.ts";
import { toFolderPath } from "../hub/mod.ts";
import type { LoadOptions } from "../model/load_options.ts";
import type { ModelParts } from "../model/model_core.ts";
import { partsOf, VisionEncoderDecoderModel } from "../model/vision_encoder_decoder_model.ts";
import { randomKey } from "../operators/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { TrainingDataset } from "./data/mod.ts";
import { evaluate, type EvaluateOptions } from "./evaluate.ts";
import { fit } from "./fit.ts";
import type { FitOptions, FitProgress, FitResult } from "./fit_options.ts";
import type { Evaluation } from "./report/evaluation.ts";
import { updateScalars } from "./optimizer.ts";
import { learningRateAt } from "./schedule.ts";
import { checkGradients, Gradients } from "./gradients.ts";
import { restoreStates, savedStates } from "./saved_states.ts";
import type { Pending, RunDescription } from "./run_description.ts";
import { type OpenedRun, openRun, parameterName, writeRun } from "./trainer_file.ts";
import { resolveTrainerOptions, type TrainerOptions, type TrainerSettings } from "./trainer_options.ts";
import { gradientName, planTraining } from "./training_programs.ts";
import { checkBatch, type CheckedBatch, type StepResult, type TrainingBatch } from "./training_batch.ts";
import { TrainingSession } from "./training_session.ts";

/**
 * Trains a model. The model can be used between the steps, and has the parameters as they are then.
 *
 * @example
 * ```ts
 * import { Tensor, Trainer, VisionEncoderDecoderModel } from "@limner/limner";
 * import { assert } from "@std/assert";
 *
 * await using model = await VisionEncoderDecoderModel.fromPretrained("assets/model", { backend: "reference" });
 * await using trainer = await Trainer.create(model, { learningRate: 1e-3 });
 * const pixelValues = new Tensor("float32", [1, 3, 32, 512], new Float32Array(3 * 32 * 512).fill(1));
 * const first = await trainer.step({ pixelValues, labels: [[5, 6, 2]] });
 * const second = await trainer.step({ pixelValues, labels: [[5, 6, 2]] });
 * assert(second.loss < first.loss);
 * ```
 */
export class Trainer implements AsyncDisposable {
  readonly #parts: ModelParts;
  readonly #session: TrainingSession;
  #steps = 0;
  #pending: Pending = { calls: 0, labels: 0 };
  #ownsModel = false;
  #released = false;
  /** The folders that hold the weights beside an adapter. */
  readonly #hasWeights = new Set<string>();
  /** Where `fit` has come to. */
  fitProgress: FitProgress | undefined;

  private constructor(
    readonly model: VisionEncoderDecoderModel,
    parts: ModelParts,
    session: TrainingSession,
    /** The options, with their defaults. */
    readonly settings: TrainerSettings,
  ) {
    this.#parts = parts;
    this.#session = session;
  }

  /**
   * Begin to train a model.
   *
   * @throws {OptionError} If an option does not exist or is out of its range, or nothing is left to train.
   */
  static async create(model: VisionEncoderDecoderModel, options: TrainerOptions): Promise<Trainer> {
    const settings = resolveTrainerOptions(options);
    const { lora } = options;
    if (!lora) return await Trainer.#begin(model, settings);
    const { calls, core } = partsOf(model);
    await calls.take(() => core.attachAdapter({ ...lora, seed: settings.seed }));
    try {
      return await Trainer.#begin(model, settings);
    } catch (error) {
      await calls.take(() => core.detachAdapter());
      throw error;
    }
  }

  /**
   * Go on with a run that `save` wrote: its model, its moments and its place, as if it had not been interrupted.
   *
   * @param folder The folder that was given to `save`.
   * @param options How the model is loaded. The trainer releases it when it is released.
   * @throws {HubError} If the folder holds no run, or no model.
   * @throws {FormatError} If a file is malformed.
   */
  static async resume(folder: string | URL, options: LoadOptions = {}): Promise<Trainer> {
    const { description, tensors } = await openRun(folder);
    const model = await VisionEncoderDecoderModel.fromPretrained(folder, options);
    try {
      if (description.adapter) await model.loadAdapter(folder);
      const decayed = new Set(description.decayed);
      const trainer = await Trainer.#begin(model, {
        ...description.settings,
        frozen: (name) => !tensors.has(parameterName(name)),
        decay: (name) => decayed.has(name),
      });
      trainer.#ownsModel = true;
      trainer.#hasWeights.add(toFolderPath(folder));
      await trainer.#restore(description, tensors);
      return trainer;
    } catch (error) {
      await model[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #begin(model: VisionEncoderDecoderModel, settings: TrainerSettings): Promise<Trainer> {
    const parts = partsOf(model);
    const plan = planTraining(parts.architecture, settings);
    if (plan.shapes.size === 0) throw new OptionError("Cannot train: all parameters are frozen");
    return await parts.calls.take(async () => {
      parts.releaseBuffers();
      const session = await TrainingSession.create(model.backend, parts.weights, plan);
      for (const name of plan.shapes.keys()) parts.parameters.trained.add(name);
      return new Trainer(model, parts, session, settings);
    });
  }

  /** How many updates have been made. */
  get steps(): number {
    return this.#steps;
  }

  /** The names of the parameters that are trained. */
  get trained(): readonly string[] {
    return [...this.#session.plan.shapes.keys()];
  }

  /**
   * Take a step: the loss of a batch, its gradients, and an update; with `gradientAccumulation`, an update at every so many
   * calls.
   *
   * @throws {ShapeError} If pictures and labels do not fit the model or one another, or no label is counted.
   * @throws {ConfigError} If the labels are to be shifted and the configuration lacks what that needs.
   */
  step(batch: TrainingBatch): Promise<StepResult> {
    return this.#call(async () => {
      const { tensors, labels } = this.#check(batch);
      const { settings } = this;
      const learningRate = learningRateAt(this.#steps, settings);
      if (settings.gradientAccumulation === 1) {
        const { loss, gradNorm } = await this.#session.step(tensors, this.#key(), updateScalars(this.#steps, settings));
        return { loss, gradNorm, learningRate, steps: ++this.#steps };
      }
      const { calls, labels: before } = this.#pending;
      const { loss } = await this.#session.accumulate(tensors, this.#key(), { weight: labels, begins: calls === 0 });
      this.#pending = { calls: calls + 1, labels: before + labels };
      if (calls + 1 < settings.gradientAccumulation) return { loss, learningRate, steps: this.#steps };
      const { gradNorm } = await this.#update(1 / this.#pending.labels);
      return { loss, gradNorm, learningRate, steps: this.#steps };
    });
  }

  /**
   * The gradients of a batch's loss, without an update.
   *
   * @throws {LimnerError} If calls of `step` have been added up and not yet made an update.
   */
  gradients(batch: TrainingBatch): Promise<Gradients> {
    return this.#call(async () => {
      this.#checkNothingPending("give gradients");
      const { tensors, labels } = this.#check(batch);
      await this.#session.accumulate(tensors, this.#key(), { weight: 1, begins: true });
      const found: [string, Tensor][] = [];
      for (const name of this.trained) found.push([name, await this.#session.readState(gradientName(name))]);
      return new Gradients(found, labels);
    });
  }

  /**
   * Make an update from gradients that come from elsewhere.
   *
   * @param gradients That of each trained parameter, by checkpoint name, float32.
   * @returns The gradients' norm before clipping.
   * @throws {ShapeError} If one is missing, is unknown, or has another shape than its parameter.
   * @throws {LimnerError} If calls of `step` have been added up and not yet made an update.
   */
  apply(gradients: ReadonlyMap<string, Tensor>): Promise<{ gradNorm: number }> {
    return this.#call(async () => {
      this.#checkNothingPending("apply gradients");
      checkGradients(gradients, this.#session.plan.shapes);
      for (const [name, gradient] of gradients) await this.#session.writeState(gradientName(name), gradient);
      return await this.#update(1);
    });
  }

  /**
   * The loss of a batch, without label smoothing, and the number of labels it is a mean over.
   *
   * @throws {ShapeError} As `step` does.
   */
  loss(batch: TrainingBatch): Promise<{ loss: number; labels: number }> {
    return this.#call(async () => {
      const { tensors, labels } = this.#check(batch);
      return { loss: await this.#session.loss(tensors), labels };
    });
  }

  /**
   * Train on a data set: epochs of batches in an order that follows from its seed, evaluations among them, and a log and a
   * plot of both.
   *
   * @throws {OptionError} If an option cannot be.
   * @throws {LimnerError} If the model cannot learn the labels, a picture cannot be read, or the loss is no number.
   * @throws The signal's reason; the trainer stays as it was after its last step.
   */
  fit(dataset: TrainingDataset, options: FitOptions): Promise<FitResult> {
    return fit(this, dataset, options);
  }

  /** The loss of a data set's labels, and how far what the model writes is from its texts. @throws {LimnerError} As `fit`. */
  evaluate(dataset: TrainingDataset, options?: EvaluateOptions): Promise<Evaluation> {
    return this.withAverages(() => evaluate(this, dataset, options));
  }

  /**
   * Do work with the moving averages of the parameters in their place, such as evaluating or saving; without `ema` with the
   * parameters themselves. No step may be taken meanwhile.
   */
  async withAverages<T>(work: () => Promise<T>): Promise<T> {
    if (this.settings.ema === undefined) return await work();
    await this.#call(() => this.#session.exchangeAverages());
    try {
      return await work();
    } finally {
      await this.#call(() => this.#session.exchangeAverages());
    }
  }

  /** Put the adapter into the weights, which ends this training. @throws {LimnerError} As `model.mergeAdapters`. */
  async mergeAdapters(): Promise<void> {
    await this.model.mergeAdapters();
  }

  /** Write the adapter as PEFT's files. @throws {LimnerError} If the model has none. */
  async saveAdapter(folder: string | URL): Promise<void> {
    await this.withAverages(() => this.model.saveAdapter(folder));
  }

  /** Write what was learned: the model, or where it has an adapter that alone. @param folder Made if it is missing. */
  async saveModel(folder: string | URL): Promise<void> {
    if (this.#parts.architecture.adapter) return await this.saveAdapter(folder);
    await this.withAverages(() => this.model.savePretrained(folder));
  }

  /**
   * Write the model, as its savePretrained does, and its adapter if it has one, and beside it `trainer.safetensors`, from which `resume` goes on. A process
   * that is killed meanwhile leaves what was saved before.
   *
   * @param folder The folder, made if it is missing.
   */
  async save(folder: string | URL): Promise<void> {
    const { architecture: { adapter }, core } = this.#parts;
    const path = toFolderPath(folder);
    // Beside an adapter the weights stay as they are.
    if (adapter && !this.#hasWeights.has(path)) {
      await this.#call(() => core.save(folder, this.model.generationConfig, {}));
      this.#hasWeights.add(path);
    }
    await this.saveModel(folder);
    await this.#call(async () => {
      const { decay: _, frozen: __, ...settings } = this.settings;
      const decayed = this.trained.filter(this.#session.plan.decays);
      const { steps, fitProgress } = this;
      const pending = this.#pending;
      const description = { steps, pending, adapter: adapter !== undefined, settings, decayed, fitProgress };
      await writeRun(folder, description, savedStates(this.#session, pending));
    });
  }

  /**
   * Release what training needs, after the calls that were begun. The model stays, with its parameters as they are, unless
   * `resume` loaded it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#released = true;
    await this.#parts.calls.settled();
    await this.#session[Symbol.asyncDispose]();
    if (this.#ownsModel) await this.model[Symbol.asyncDispose]();
  }

  /** Take over what a run's file holds. */
  #restore({ steps, pending, fitProgress }: RunDescription, tensors: OpenedRun["tensors"]): Promise<void> {
    return this.#call(async () => {
      await restoreStates(this.#session, tensors, pending);
      this.#steps = steps;
      this.#pending = pending;
      this.fitProgress = fitProgress;
    });
  }

  /** The key of what the next call drops. */
  #key(): BigInt64Array<ArrayBuffer> {
    const { seed, gradientAccumulation } = this.settings;
    return randomKey(seed, this.#steps * gradientAccumulation + this.#pending.calls);
  }

  async #update(scale: number): Promise<{ gradNorm: number }> {
    const result = await this.#session.update(updateScalars(this.#steps, this.settings), scale);
    this.#steps++;
    this.#pending = { calls: 0, labels: 0 };
    return result;
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#released) throw new LimnerError("Cannot train: the trainer was released");
    return await this.#parts.calls.take(async () => {
      const { architecture, weights } = partsOf(this.model);
      if (architecture === this.#parts.architecture) return await work();
      const what = weights === this.#parts.weights ? "adapter was added or taken away" : "embeddings were resized";
      throw new LimnerError(`Cannot train: the model's ${what} after the trainer was made; make a new one`);
    });
  }

  #check(batch: TrainingBatch): CheckedBatch {
    const { countPadding } = this.settings;
    return checkBatch(batch, { architecture: this.#parts.architecture, model: this.model, countPadding });
  }

  #checkNothingPending(task: string): void {
    const { calls } = this.#pending;
    if (calls === 0) return;
    throw new LimnerError(`Cannot ${task}: ${calls} of ${this.settings.gradientAccumulation} steps await an update`);
  }
}
