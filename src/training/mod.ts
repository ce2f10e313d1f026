// Fine-tuning.
export { Gradients, type StepResult, Trainer, type TrainingBatch } from "./trainer.ts";
export type { ScheduleName, TrainerOptions, TrainerSettings } from "./trainer_options.ts";
