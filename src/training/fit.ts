// A whole run of a training: epochs of batches, evaluations among them, what is kept of it, and when it ends. All that a
// run that is taken up again has to know stands in `FitProgress`, which the trainer saves with its state.
import { LimnerError } from "../errors/mod.ts";
import { splitPath, toPath } from "../hub/mod.ts";
import { writeFileAtomically } from "../hub/atomic_file.ts";
import { checkFile, checkFolder, makeFolder } from "../hub/make_folder.ts";
import { type Batch, checkLabels, ignoredLabel, type TrainingDataset } from "./data/mod.ts";
import { evaluate, type EvaluatedTrainer, type WritingModel } from "./evaluate.ts";
import { checkFitOptions, type FitOptions, type FitProgress, type FitResult } from "./fit_options.ts";
import { drawTraining } from "./report/draw_training.ts";
import { type Evaluation, isBetter } from "./report/evaluation.ts";
import { type EvaluationEntry, type LogEntry, type StepEntry, TrainingLog } from "./report/training_log.ts";

/** What is asked of a trainer here. */
export interface FittedTrainer extends EvaluatedTrainer {
  readonly model: WritingModel;
  readonly settings: { readonly gradientAccumulation: number };
  /** How many updates were made. */
  readonly steps: number;
  /** Where `fit` has come to, which it sets; `save` keeps it, and a resumed trainer has it again. */
  fitProgress: FitProgress | undefined;
  step(batch: Pick<Batch, "pixelValues" | "labels">): Promise<{
    readonly loss: number;
    readonly gradNorm?: number;
    readonly learningRate: number;
  }>;
  /** Keep the trainer's state in a folder. */
  save(folder: string | URL): Promise<void>;
  /** Write what was learned. */
  saveModel(folder: string | URL): Promise<void>;
  /** Do work with the moving averages of the parameters in their place, if there are any. */
  withAverages<T>(work: () => Promise<T>): Promise<T>;
}

/** How many updates a run makes that goes through the data so many times. */
export function stepsOf(
  epochs: number,
  dataset: { readonly size: number },
  batchSize: number,
  accumulation = 1,
): number {
  return Math.ceil(epochs * Math.ceil(dataset.size / batchSize) / accumulation);
}

/**
 * Train until a number of updates, or until evaluations get no better.
 *
 * @throws {OptionError} If an option cannot be, or a run is taken up again with another batch size.
 * @throws {WriteError} If what is learned, the log or the plot cannot be written.
 * @throws {LimnerError} If the model cannot learn the labels, a picture cannot be read, or the loss is no number.
 * @throws The signal's reason; the trainer stays as it was after its last step.
 */
export async function fit(
  trainer: FittedTrainer,
  dataset: TrainingDataset,
  options: FitOptions,
): Promise<FitResult> {
  checkFitOptions(options, trainer.fitProgress);
  for (const data of [dataset, options.evaluate]) if (data) checkLabels(data, trainer.model);
  const { keepBest, save, log: logFile, plot } = options;
  for (const folder of [keepBest, save]) if (folder !== undefined) await checkFolder(folder);
  for (const file of [logFile, plot]) if (file !== undefined) await checkFile(file);
  using log = logFile === undefined ? undefined : await TrainingLog.open(logFile, trainer.steps);
  const run = new FitRun(trainer, dataset, options, log);
  try {
    return await run.toItsEnd();
  } finally {
    await run.draw();
  }
}

/** A run of `fit`. */
class FitRun {
  readonly #entries: LogEntry[];
  /** The number of updates after which the run ends, and those between two evaluations. */
  readonly #last: number;
  readonly #evaluateEvery: number;
  readonly #batchesOfEpoch: number;
  #progress: FitProgress;
  #evaluation: Evaluation | undefined;
  /** What has been added up for the next update. */
  #sum = { loss: 0, labels: 0 };
  #began = performance.now();

  constructor(
    private readonly trainer: FittedTrainer,
    private readonly dataset: TrainingDataset,
    private readonly options: FitOptions,
    private readonly log: TrainingLog | undefined,
  ) {
    const { batchSize, epochs, steps, evaluateEvery } = options;
    const { gradientAccumulation } = trainer.settings;
    this.#entries = [...log?.earlier ?? []];
    this.#batchesOfEpoch = Math.ceil(dataset.size / batchSize);
    this.#last = steps ?? stepsOf(epochs!, dataset, batchSize, gradientAccumulation);
    this.#evaluateEvery = evaluateEvery ?? stepsOf(1, dataset, batchSize, gradientAccumulation);
    this.#progress = trainer.fitProgress ?? { epoch: 0, batch: 0, batchSize, evaluationsSinceBest: 0 };
  }

  async toItsEnd(): Promise<FitResult> {
    const { signal, batchSize } = this.options;
    // What was due after the last update, before the run was ended.
    if (this.trainer.steps > 0) await this.#afterUpdate();
    while (!this.#isOver) {
      const { epoch, batch: startBatch } = this.#progress;
      let taken = 0;
      for await (const batch of this.dataset.batches({ batchSize, epoch, startBatch, signal })) {
        signal?.throwIfAborted();
        taken++;
        const progress = { ...this.#progress, batch: batch.index + 1 };
        if (await this.#step(batch, progress) && this.#isOver) break;
      }
      if (taken === 0 && startBatch === 0) {
        throw new LimnerError(`Cannot train: ${this.dataset.name} gave no batch in epoch ${epoch}`);
      }
      if (!this.#isOver) this.#set({ ...this.#progress, epoch: epoch + 1, batch: 0 });
    }
    const { best, evaluationsSinceBest } = this.#progress;
    return {
      steps: this.trainer.steps,
      epochs: this.#epoch(this.#progress),
      evaluation: this.#evaluation,
      best,
      stopped: this.trainer.steps < this.#last && evaluationsSinceBest > 0 ? "patience" : "end",
    };
  }

  /** Whether nothing is left to do: all updates are made, or evaluations have got no better for long enough. */
  get #isOver(): boolean {
    const { patience = Infinity } = this.options;
    return this.trainer.steps >= this.#last || this.#progress.evaluationsSinceBest >= patience;
  }

  /** Train on a batch. @returns Whether that made an update. */
  async #step(batch: Batch, progress: FitProgress): Promise<boolean> {
    const { trainer, options } = this;
    const { pixelValues, labels } = batch;
    const counted = countLabels(labels.data as BigInt64Array);
    const { loss, gradNorm, learningRate } = await trainer.step({ pixelValues, labels });
    this.#set(progress);
    this.#sum = { loss: this.#sum.loss + loss * counted, labels: this.#sum.labels + counted };
    if (gradNorm === undefined) return false;
    const entry: StepEntry = {
      step: trainer.steps,
      epoch: this.#epoch(progress),
      loss: this.#sum.loss / this.#sum.labels,
      learningRate,
      gradNorm,
      seconds: this.#seconds(),
    };
    this.#sum = { loss: 0, labels: 0 };
    this.#write(entry);
    options.onStep?.(entry, { steps: this.#last });
    if (!Number.isFinite(entry.loss)) throw notFinite(entry);
    await this.#afterUpdate();
    this.#began = performance.now();
    return true;
  }

  /** Evaluate and save where that is due after an update, and has not been done. */
  async #afterUpdate(): Promise<void> {
    const { trainer, options } = this;
    const { steps } = trainer;
    const { evaluate: data, save, saveEvery = this.#evaluateEvery } = options;
    if (data && this.#progress.evaluatedAt !== steps && (steps >= this.#last || steps % this.#evaluateEvery === 0)) {
      await this.#evaluate(data);
    }
    if (save !== undefined && (this.#isOver || steps % saveEvery === 0)) await trainer.save(save);
  }

  async #evaluate(dataset: TrainingDataset): Promise<void> {
    const { trainer, options } = this;
    const { bestBy = "characterErrorRate", signal, evaluation: how } = options;
    this.#began = performance.now();
    const { best, evaluationsSinceBest } = this.#progress;
    const evaluation = await trainer.withAverages(() =>
      evaluate(trainer, dataset, { batchSize: options.batchSize, signal, ...how })
    );
    const better = !best || isBetter(evaluation, best.evaluation, bestBy);
    if (better && options.keepBest !== undefined) await trainer.saveModel(options.keepBest);
    this.#evaluation = evaluation;
    this.#set({
      ...this.#progress,
      best: better ? { step: trainer.steps, evaluation } : best,
      evaluationsSinceBest: better ? 0 : evaluationsSinceBest + 1,
      evaluatedAt: trainer.steps,
    });
    const epoch = this.#epoch(this.#progress);
    const entry: EvaluationEntry = { step: trainer.steps, epoch, evaluation, seconds: this.#seconds() };
    this.#write(entry);
    options.onEvaluation?.(entry, { better });
    await this.draw();
  }

  /** Draw what there is of the run. */
  async draw(): Promise<void> {
    const { plot } = this.options;
    if (plot === undefined) return;
    const { folder, name } = splitPath(toPath(plot));
    await makeFolder(folder);
    await writeFileAtomically(folder, name, drawTraining(this.#entries));
  }

  #write(entry: LogEntry): void {
    this.#entries.push(entry);
    this.log?.write(entry);
  }

  #set(progress: FitProgress): void {
    this.#progress = this.trainer.fitProgress = progress;
  }

  #epoch({ epoch, batch }: FitProgress): number {
    return Math.round((epoch + batch / this.#batchesOfEpoch) * 1e4) / 1e4;
  }

  #seconds(): number {
    return Math.round(performance.now() - this.#began) / 1000;
  }
}

function countLabels(labels: BigInt64Array): number {
  return labels.reduce((sum, id) => id === BigInt(ignoredLabel) ? sum : sum + 1, 0);
}

function notFinite({ step, loss }: StepEntry): LimnerError {
  return new LimnerError(
    `Cannot go on training: the loss of step ${step} is ${loss}, and the parameters are of no use any more; begin again, or ` +
      `from what was saved, with a lower learningRate, with warmupSteps, or with maxGradNorm: 1`,
  );
}
