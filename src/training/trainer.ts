// Fine-tuning: a model's parameters moved, step by step, so that the loss on what it is shown goes down.
import type { CallQueue } from "../async/call_queue.ts";
import { LimnerError, OptionError, ShapeError } from "../errors/mod.ts";
import { checkInputs, type TokenRows } from "../model/forward_inputs.ts";
import { type ModelParts, partsOf, type VisionEncoderDecoderModel } from "../model/vision_encoder_decoder_model.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { TrainingDataset } from "./data/mod.ts";
import { evaluate, type EvaluateOptions } from "./evaluate.ts";
import { fit } from "./fit.ts";
import type { FitOptions, FitProgress, FitResult } from "./fit_options.ts";
import type { Evaluation } from "./report/evaluation.ts";
import { updateScalars } from "./optimizer.ts";
import { learningRateAt } from "./schedule.ts";
import { resolveTrainerOptions, type TrainerOptions, type TrainerSettings } from "./trainer_options.ts";
import { gradientName, planTraining } from "./training_programs.ts";
import { type BatchTensors, TrainingSession } from "./training_session.ts";

/** Pictures and what is to be written of them. */
export interface TrainingBatch {
  /** [batch, channels, height, width], float32. */
  readonly pixelValues: Tensor;
  /** The id that each position should give, [batch, T]; -100 is not counted. */
  readonly labels: TokenRows;
  /** Ids, [batch, T]. @default the labels, shifted right after `decoder_start_token_id` */
  readonly decoderInputIds?: TokenRows;
}

/** What a step did. */
export interface StepResult {
  /** The mean over labels other than -100, before the update. */
  readonly loss: number;
  /** The norm of all gradients together, before clipping; undefined where the call made no update. */
  readonly gradNorm?: number;
  /** The learning rate of the update. */
  readonly learningRate: number;
  /** How many updates have been made. */
  readonly steps: number;
}

/** Gradients by checkpoint name, float32. */
export class Gradients extends Map<string, Tensor> {
  /** @param labels The number of labels they are a mean over. */
  constructor(entries: Iterable<readonly [string, Tensor]>, readonly labels: number) {
    super(entries);
  }
}

/** What has been added up for the next update. */
interface Pending {
  readonly calls: number;
  readonly labels: number;
}

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
 * const pixelValues = new Tensor("float32", [1, 3, 32, 64], new Float32Array(3 * 32 * 64).fill(1));
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
        const { loss, gradNorm } = await this.#session.step(tensors, updateScalars(this.#steps, settings));
        return { loss, gradNorm, learningRate, steps: ++this.#steps };
      }
      const { calls, labels: before } = this.#pending;
      const { loss } = await this.#session.accumulate(tensors, labels, calls === 0);
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
      await this.#session.accumulate(tensors, 1, true);
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
      const { shapes } = this.#session.plan;
      for (const name of gradients.keys()) {
        if (!shapes.has(name)) throw new ShapeError(`Cannot apply the gradient of "${name}": it is not trained`);
      }
      for (const [name, shape] of shapes) {
        const gradient = gradients.get(name);
        if (gradient?.dataType === "float32" && gradient.shape.join() === shape.join()) continue;
        const found = gradient ? `${gradient.dataType} [${gradient.shape.join(", ")}]` : "missing";
        throw new ShapeError(
          `Cannot apply the gradient of "${name}": it is ${found}, expected float32 [${shape.join(", ")}]`,
        );
      }
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

  /**
   * The loss of a data set's labels, and how far what the model writes of its pictures is from their texts.
   *
   * @throws {LimnerError} If the model cannot learn the labels, or a picture cannot be read.
   */
  evaluate(dataset: TrainingDataset, options?: EvaluateOptions): Promise<Evaluation> {
    return evaluate(this, dataset, options);
  }

  /** Release what training needs. The model stays, with its parameters as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  async #update(scale: number): Promise<{ gradNorm: number }> {
    const result = await this.#session.update(updateScalars(this.#steps, this.settings), scale);
    this.#steps++;
    this.#pending = { calls: 0, labels: 0 };
    return result;
  }

  #call<T>(work: () => Promise<T>): Promise<T> {
    const { calls }: { calls: CallQueue } = this.#parts;
    return calls.take(async () => {
      if (partsOf(this.model).weights === this.#parts.weights) return await work();
      throw new LimnerError(
        "Cannot train: the model's embeddings were resized after the trainer was made; make a new one",
      );
    });
  }

  #check(batch: TrainingBatch): { tensors: BatchTensors; labels: number } {
    const { pixelValues, labels, decoderInputIds, ...others } = batch;
    const [other] = Object.keys(others);
    if (other !== undefined) {
      throw new OptionError(`Cannot train on ${other}: a batch has pixelValues, labels and decoderInputIds`);
    }
    if (labels === undefined) throw new ShapeError("Cannot train: the batch has no labels");
    const tensors = checkInputs({ pixelValues, labels, decoderInputIds }, this.#parts.architecture, this.model.config);
    const counted = (tensors.labels.data as BigInt64Array).reduce((sum, id) => id === -100n ? sum : sum + 1, 0);
    if (counted === 0) throw new ShapeError("Cannot train: all labels are -100, so none is counted");
    return { tensors, labels: counted };
  }

  #checkNothingPending(task: string): void {
    const { calls } = this.#pending;
    if (calls === 0) return;
    throw new LimnerError(
      `Cannot ${task}: ${calls} of ${this.settings.gradientAccumulation} calls of step have been added up for an update`,
    );
  }
}
