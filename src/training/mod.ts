// Fine-tuning.
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
export type { ScheduleName, TrainerOptions, TrainerSettings } from "./trainer_options.ts";
