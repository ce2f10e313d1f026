/**
 * Fine-tuning, on every backend: a trainer, the data that it learns from, and the measures of what it has learnt. The root of
 * the package has all of it too.
 *
 * @example
 * ```ts
 * import { ImageTextDataset, Trainer } from "@limner/limner/training";
 * import { Captioner } from "@limner/limner";
 * import { assert } from "@std/assert";
 *
 * await using captioner = await Captioner.load();
 * const { model, tokenizer, processor } = captioner;
 * const pairs = [{ image: "assets/examples/date.png", text: "2 August" }];
 * const dataset = ImageTextDataset.fromPairs(pairs, { tokenizer, processor, addSpecialTokens: false });
 * await using trainer = await Trainer.create(model, { learningRate: 1e-4, dropout: false });
 * const losses: number[] = [];
 * for (const epoch of [0, 1]) {
 *   for await (const { pixelValues, labels } of dataset.batches({ batchSize: 1, epoch })) {
 *     losses.push((await trainer.step({ pixelValues, labels })).loss);
 *   }
 * }
 * assert(losses[1] < losses[0]);
 * ```
 *
 * @module
 */
export {
  type Augmentation,
  type Batch,
  type BatchOptions,
  type BrokenExample,
  type ColumnOptions,
  type DatasetOptions,
  ImageTextDataset,
  type ImageTextPair,
  type LabelOptions,
  type TrainingDataset,
} from "./data/mod.ts";
export { type ErrorRates, errorRates } from "./report/error_rates.ts";
export type { EvaluateOptions } from "./evaluate.ts";
export type { Evaluation, EvaluationMeasure } from "./report/evaluation.ts";
export type { EvaluationEntry, LogEntry, StepEntry } from "./report/training_log.ts";
export type { BestEvaluation, FitOptions, FitProgress, FitResult } from "./fit_options.ts";
export { Gradients } from "./gradients.ts";
export { Trainer } from "./trainer.ts";
export type { StepResult, TrainingBatch } from "./training_batch.ts";
export type { ActivationStorage } from "../gradient/mod.ts";
export type { ScheduleName, TrainerOptions, TrainerSettings } from "./trainer_options.ts";
