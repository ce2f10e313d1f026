// How far a run has come, as a file describes it, checked before anything is made from it: the numbers of a damaged file, or
// of a stranger's, would decide how long a run goes on and what memory it takes.
import { FormatError, OptionError } from "../errors/mod.ts";
import { isRecord } from "../hub/mod.ts";
import type { FitProgress } from "./fit_options.ts";
import { resolveTrainerOptions, type TrainerOptions, type TrainerSettings } from "./trainer_options.ts";

/** What is added up for the next update. */
export interface Pending {
  /** The calls of `step`. */
  readonly calls: number;
  /** Their labels. */
  readonly labels: number;
}

/** What a file says of a run beside its tensors. */
export interface RunDescription {
  /** How many updates were made. */
  readonly steps: number;
  readonly pending: Pending;
  /** Whether an adapter is trained, whose files lie beside this one. */
  readonly adapter: boolean;
  /** The settings that are no functions. */
  readonly settings: Omit<TrainerSettings, "decay" | "frozen">;
  /** The parameters that decay. */
  readonly decayed: readonly string[];
  /** Where `fit` has come to. */
  readonly fitProgress?: FitProgress;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isOptional = (holds: (value: unknown) => boolean) => (value: unknown) => value === undefined || holds(value);
const isNumber = (value: unknown): boolean => value === null || typeof value === "number"; // JSON has no NaN
const counts = (value: unknown, keys: readonly string[]): boolean =>
  isRecord(value) && keys.every((key) => isCount(value[key]));

function isBest(value: unknown): boolean {
  if (!isRecord(value) || !isCount(value.step) || !isRecord(value.evaluation)) return false;
  const { loss, characterErrorRate, wordErrorRate, exactMatch } = value.evaluation;
  return [loss, characterErrorRate, wordErrorRate, exactMatch].every(isNumber);
}

/** What each field may be. */
const fields: Readonly<Record<Exclude<keyof RunDescription, "settings">, (value: unknown) => boolean>> = {
  steps: isCount,
  pending: (value) => counts(value, ["calls", "labels"]),
  adapter: (value) => typeof value === "boolean",
  decayed: (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
  fitProgress: isOptional((value) =>
    counts(value, ["epoch", "batch", "batchSize", "evaluationsSinceBest"]) &&
    (value as { batchSize: number }).batchSize > 0 &&
    isOptional(isCount)((value as { evaluatedAt?: unknown }).evaluatedAt) &&
    isOptional(isBest)((value as { best?: unknown }).best)
  ),
};

/**
 * Check a description.
 *
 * @param path The file, for messages.
 * @throws {FormatError} If a field is missing, or of another type or range, by its key.
 */
export function checkDescription(value: Readonly<Record<string, unknown>>, path: string): RunDescription {
  const fail = (key: string, what: string): never => {
    throw new FormatError(`Cannot resume from ${path}: ${what} (${key} of its description)`, { file: path, key });
  };
  for (const [key, holds] of Object.entries(fields)) {
    if (!holds(value[key])) fail(key, `${(JSON.stringify(value[key]) ?? "nothing").slice(0, 200)} was not expected`);
  }
  const { settings } = value;
  if (!isRecord(settings)) return fail("settings", "an object was expected");
  try {
    const { gradientAccumulation } = resolveTrainerOptions(settings as unknown as TrainerOptions);
    const { calls } = value.pending as { calls: number };
    if (calls >= gradientAccumulation) fail("pending", `${calls} calls of ${gradientAccumulation} cannot be pending`);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return fail("settings", error.message);
  }
  return value as unknown as RunDescription;
}
