// What an evaluation finds of a model.
import type { ErrorRates } from "./error_rates.ts";

/** How well a model does on a data set. */
export interface Evaluation extends ErrorRates {
  /** The mean cross entropy over all labels. */
  readonly loss: number;
}

/** What evaluations are compared by. */
export type EvaluationMeasure = keyof Evaluation;

/** Whether an evaluation is better than another. */
export function isBetter(found: Evaluation, than: Evaluation, by: EvaluationMeasure): boolean {
  return by === "exactMatch" ? found[by] > than[by] : found[by] < than[by];
}
