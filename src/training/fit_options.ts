// What a whole run of a training takes, checked before it begins, and what it gives.
import { OptionError } from "../errors/mod.ts";
import type { TrainingDataset } from "./data/mod.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import type { Evaluation, EvaluationMeasure } from "./report/evaluation.ts";
import type { EvaluationEntry, StepEntry } from "./report/training_log.ts";

/** Options of a whole run; one of `epochs` and `steps` has to be given. */
export interface FitOptions {
  /** How many times the data is gone through, counted from the trainer's first step. */
  readonly epochs?: number;
  /** How many updates the trainer has made at the end, those before included: a resumed run ends where it would have. */
  readonly steps?: number;
  /** Examples of a batch; with `gradientAccumulation` an update has several. */
  readonly batchSize: number;
  /** The data set that the model is evaluated on. @default the run has no evaluations */
  readonly evaluate?: TrainingDataset;
  /** Updates between two evaluations; there is one at the end too. @default those of an epoch */
  readonly evaluateEvery?: number;
  /** How evaluations write texts. */
  readonly evaluation?: Omit<EvaluateOptions, "signal">;
  /** After how many evaluations that are no better than the best the run ends. @default it goes on */
  readonly patience?: number;
  /** What evaluations are compared by. @default "characterErrorRate" */
  readonly bestBy?: EvaluationMeasure;
  /** The folder that the model of the best evaluation is kept in, as `saveModel` writes it. */
  readonly keepBest?: string | URL;
  /** The folder that the trainer is saved in, so that the run can be taken up again. */
  readonly save?: string | URL;
  /** Updates between two times of saving; it is saved at the end too. @default `evaluateEvery` */
  readonly saveEvery?: number;
  /** Called after each update, with the number of updates of the whole run. */
  readonly onStep?: (entry: StepEntry, run: { readonly steps: number }) => void;
  /** Called after each evaluation. */
  readonly onEvaluation?: (entry: EvaluationEntry, found: { readonly better: boolean }) => void;
  /** A file that each step and evaluation is written to, a line of JSON each; a resumed run appends. */
  readonly log?: string | URL;
  /** A file (SVG) that losses and error rates are drawn in, after each evaluation and at the end. */
  readonly plot?: string | URL;
  /** Ends the run after the step that is under way. */
  readonly signal?: AbortSignal;
}

/** Where a run has come to. */
export interface FitProgress {
  /** The epoch, from 0 on, and the next batch in it. */
  readonly epoch: number;
  /** How many batches of the epoch are done. */
  readonly batch: number;
  /** Examples of a batch. */
  readonly batchSize: number;
  /** The best evaluation so far. */
  readonly best?: BestEvaluation;
  /** How many evaluations there were since it. */
  readonly evaluationsSinceBest: number;
  /** How many updates there were before the last evaluation. */
  readonly evaluatedAt?: number;
}

/** The best evaluation of a run. */
export interface BestEvaluation {
  /** How many updates there were before it. */
  readonly step: number;
  /** What it found. */
  readonly evaluation: Evaluation;
}

/** How a run ended. */
export interface FitResult {
  /** How many updates the trainer has made. */
  readonly steps: number;
  /** How many times the data was gone through, as a fraction. */
  readonly epochs: number;
  /** The last evaluation. */
  readonly evaluation?: Evaluation;
  /** The best evaluation; undefined where there was none. */
  readonly best?: BestEvaluation;
  /** Whether all updates were made, or evaluations got no better for too long. */
  readonly stopped: "end" | "patience";
}

/** Every option, and whether it is a whole number from 1. */
const isCount: Readonly<Record<keyof FitOptions, boolean>> = {
  ...{ epochs: true, steps: true, batchSize: true, evaluateEvery: true, patience: true, saveEvery: true },
  ...{ evaluate: false, evaluation: false, bestBy: false, keepBest: false, save: false, onStep: false },
  ...{ onEvaluation: false, log: false, plot: false, signal: false },
};

/** What evaluations may be compared by. */
const measures: readonly EvaluationMeasure[] = ["characterErrorRate", "wordErrorRate", "exactMatch", "loss"];

/** What has no meaning without evaluations. */
const ofEvaluations = ["evaluateEvery", "patience", "keepBest", "bestBy", "evaluation", "onEvaluation"] as const;

/**
 * Check the options of a run.
 *
 * @param progress Where the run stands, if it is taken up again.
 * @throws {OptionError} If one does not exist, is out of its range, or excludes or lacks another.
 */
export function checkFitOptions(options: FitOptions, progress: FitProgress | undefined): void {
  const fail = (reason: string): never => {
    throw new OptionError(`Cannot train: ${reason}`);
  };
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(isCount, name));
  if (unknown !== undefined) {
    fail(`there is no option "${unknown}"; the options are ${Object.keys(isCount).join(", ")}`);
  }
  const { batchSize, epochs, steps, evaluate, evaluation, bestBy, save, saveEvery } = options;
  const counts = Object.entries(options).filter(([name]) => isCount[name as keyof FitOptions]);
  for (const [name, value] of [["batchSize", batchSize], ...counts, ["evaluation.batchSize", evaluation?.batchSize]]) {
    if (value === undefined && name !== "batchSize") continue;
    if (!(Number.isSafeInteger(value) && (value as number) >= 1)) {
      fail(`option ${name} is ${value}, expected a whole number from 1`);
    }
  }
  if ((steps === undefined) === (epochs === undefined)) {
    const given = steps === undefined ? "neither is given" : "both are given";
    fail(`one of the options steps and epochs was expected, and ${given}`);
  }
  if (bestBy !== undefined && !measures.includes(bestBy)) {
    fail(`option bestBy is ${bestBy}, expected one of ${measures.join(", ")}`);
  }
  const idle = evaluate ? undefined : ofEvaluations.find((name) => options[name] !== undefined);
  if (idle) fail(`option ${idle} needs evaluate, the data set to evaluate on`);
  if (saveEvery !== undefined && save === undefined) fail("option saveEvery needs save, the folder to save in");
  if (progress && progress.batch > 0 && progress.batchSize !== batchSize) {
    throw new OptionError(
      `Cannot go on training with batchSize ${batchSize}: the run stands within an epoch of batches of ` +
        `${progress.batchSize}`,
    );
  }
}
