// Learning rates by step, as transformers.optimization has them.
import type { TrainerSettings } from "./trainer_options.ts";

/**
 * The learning rate of an update.
 *
 * @param step How many updates were made before it.
 */
export function learningRateAt(
  step: number,
  { learningRate, schedule, warmupSteps, totalSteps = Infinity }: Pick<
    TrainerSettings,
    "learningRate" | "schedule" | "warmupSteps" | "totalSteps"
  >,
): number {
  if (step < warmupSteps) return learningRate * (step / warmupSteps);
  const left = totalSteps - warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, left);
  switch (schedule) {
    case "constant":
      return learningRate;
    case "linear":
      return learningRate * Math.max(0, (totalSteps - step) / Math.max(1, left));
    case "cosine":
      return learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
