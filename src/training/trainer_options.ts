// What a trainer is asked for, checked once and completed with its defaults.
import { OptionError } from "../errors/mod.ts";
import type { ActivationStorage } from "../gradient/mod.ts";
import type { LoraOptions } from "../models/mod.ts";

/** How the learning rate moves over the steps. */
export type ScheduleName = "constant" | "linear" | "cosine";

/** Options of {@linkcode Trainer.create}. Without the optional ones a step is torch.optim.AdamW's. */
export interface TrainerOptions {
  /** The step size of AdamW, at its highest. */
  readonly learningRate: number;
  /** The decay rates of the gradient's mean and of its square's. @default [0.9, 0.999] */
  readonly betas?: readonly [number, number];
  /** What is added to the root of the square's mean. @default 1e-8 */
  readonly epsilon?: number;
  /** How much of a parameter a step takes away, times the learning rate. @default 0.01 */
  readonly weightDecay?: number;
  /**
   * Which parameters decay, by checkpoint name; `"transformers"` spares biases and normalisations, as Hugging Face's Trainer
   * does. @default all that have a gradient
   */
  readonly decay?: ((name: string) => boolean) | "transformers";
  /** `linear` and `cosine` fall to 0 at `totalSteps`, as Transformers' schedules of these names. @default "constant" */
  readonly schedule?: ScheduleName;
  /** The steps in which the learning rate rises from 0. @default 0 */
  readonly warmupSteps?: number;
  /** The steps of the whole run, which `linear` and `cosine` need. */
  readonly totalSteps?: number;
  /** The largest norm of all gradients together; larger ones are scaled down. @default no limit */
  readonly maxGradNorm?: number;
  /** How many calls of `step` make one update, which weighs each by its number of labels. @default 1 */
  readonly gradientAccumulation?: number;
  /** Which parameters stay as they are, by checkpoint name. @default none */
  readonly frozen?: (name: string) => boolean;
  /** The share of the old value in a moving average of the parameters, such as 0.999. @default no average */
  readonly ema?: number;
  /** How much of a label's weight is spread over the vocabulary, from 0 to less than 1. @default 0 */
  readonly labelSmoothing?: number;
  /** Whether pad tokens at the end of labels are learned too; where not, labels that end in them are an error. @default false */
  readonly countPadding?: boolean;
  /** Whether something is dropped at random, as the model's configuration says. @default true */
  readonly dropout?: boolean;
  /**
   * Whether of each layer only what other layers read is kept for the backward pass, which computes the rest again (gradient
   * checkpointing): memory for pictures and labels falls to a fraction, and a step takes about a third longer. @default false
   */
  readonly checkpoint?: boolean;
  /**
   * How what layers compute is held until the backward pass. `"float16"`, on the webgpu backend alone, holds it in half of the
   * memory, rounded to 11 bits; parameters, gradients and moments stay float32. @default "float32"
   */
  readonly activationStorage?: ActivationStorage;
  /** Train a new LoRA adapter and nothing else. A model that has an adapter already trains that alone, without this. */
  readonly lora?: Omit<LoraOptions, "seed">;
  /** Makes the random numbers of a run: what is dropped, and a new adapter. @default 0 */
  readonly seed?: number;
}

/** The options with their defaults. */
export interface TrainerSettings extends Required<Omit<TrainerOptions, "totalSteps" | "maxGradNorm" | "ema" | "lora">> {
  /** As in the options; undefined where the schedule does not end. */
  readonly totalSteps: number | undefined;
  /** As in the options; undefined where gradients are not clipped. */
  readonly maxGradNorm: number | undefined;
  /** As in the options; undefined where no average is kept. */
  readonly ema: number | undefined;
}

/** What each option may be, in words for a message, and the test of it. */
interface Rule {
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
}

const isFinite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const whole = (least: number): Rule => ({
  expected: `a whole number, at least ${least}`,
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= least,
});
const fraction: Rule = {
  expected: "a number from 0 to less than 1",
  holds: (value) => isFinite(value) && value >= 0 && value < 1,
};
const notNegative: Rule = { expected: "a number, at least 0", holds: (value) => isFinite(value) && value >= 0 };
const aFlag: Rule = { expected: "true or false", holds: (value) => typeof value === "boolean" };
const aFunction: Rule = { expected: "a function", holds: (value) => typeof value === "function" };

const rules: Readonly<Record<keyof TrainerOptions, Rule>> = {
  learningRate: notNegative,
  betas: {
    expected: "two numbers from 0 to less than 1",
    holds: (value) => Array.isArray(value) && value.length === 2 && value.every(fraction.holds),
  },
  epsilon: notNegative,
  weightDecay: notNegative,
  decay: { expected: 'a function, or "transformers"', holds: (v) => v === "transformers" || typeof v === "function" },
  schedule: {
    expected: '"constant", "linear" or "cosine"',
    holds: (value) => ["constant", "linear", "cosine"].includes(value as string),
  },
  warmupSteps: whole(0),
  totalSteps: whole(1),
  maxGradNorm: { expected: "a number above 0", holds: (value) => isFinite(value) && value > 0 },
  gradientAccumulation: whole(1),
  frozen: aFunction,
  ema: fraction,
  labelSmoothing: fraction,
  countPadding: aFlag,
  dropout: aFlag,
  checkpoint: aFlag,
  activationStorage: {
    expected: '"float32" or "float16"',
    holds: (value) => ["float32", "float16"].includes(value as string),
  },
  lora: { expected: "{ rank, alpha, targets }", holds: (value) => typeof value === "object" && value !== null },
  seed: whole(0),
};

/** A value for a message; JSON has no NaN and no infinities. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return typeof value === "number" ? String(value) : JSON.stringify(value) ?? typeof value;
}

/**
 * Check the options, and fill in the defaults.
 *
 * @throws {OptionError} If one does not exist, has another type or range, or lacks one that it needs.
 */
export function resolveTrainerOptions(options: TrainerOptions): TrainerSettings {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof TrainerOptions] : undefined;
    if (!rule) {
      throw new OptionError(
        `Cannot train with the option "${name}": it does not exist; the options are ${Object.keys(rules).join(", ")}`,
      );
    }
    if (value !== undefined && !rule.holds(value)) {
      throw new OptionError(
        `Cannot train with the option "${name}": it is ${show(value)}, and ${rule.expected} was expected`,
      );
    }
  }
  if (options.learningRate === undefined) {
    throw new OptionError("Cannot train: give a learningRate, such as 5e-5 for a whole model");
  }
  const schedule = options.schedule ?? "constant";
  if (schedule !== "constant" && options.totalSteps === undefined) {
    throw new OptionError(
      `Cannot train with the schedule "${schedule}": it falls to 0 at totalSteps, which is not given`,
    );
  }
  return {
    learningRate: options.learningRate,
    betas: options.betas ?? [0.9, 0.999],
    epsilon: options.epsilon ?? 1e-8,
    weightDecay: options.weightDecay ?? 0.01,
    decay: options.decay ?? (() => true),
    schedule,
    warmupSteps: options.warmupSteps ?? 0,
    totalSteps: options.totalSteps,
    maxGradNorm: options.maxGradNorm,
    gradientAccumulation: options.gradientAccumulation ?? 1,
    frozen: options.frozen ?? (() => false),
    ema: options.ema,
    labelSmoothing: options.labelSmoothing ?? 0,
    countPadding: options.countPadding ?? false,
    dropout: options.dropout ?? true,
    checkpoint: options.checkpoint ?? false,
    activationStorage: options.activationStorage ?? "float32",
    seed: options.seed ?? 0,
  };
}
