// AdamW (Loshchilov and Hutter 2019) as nodes of a program, as torch.optim.AdamW computes it.
import type { Builder, Value } from "../graph/mod.ts";
import { add, assign, div, greaterOrEqual, mul, reduceSum, sqrt, sub, where } from "../operators/mod.ts";
import { learningRateAt } from "./schedule.ts";
import type { TrainerSettings } from "./trainer_options.ts";

/** A parameter in a program, with the gradient of the loss. */
export interface Trained {
  readonly name: string;
  readonly parameter: Value;
  readonly gradient: Value;
}

/** What of each parameter is kept from step to step: the gradient's mean, its square's, and the parameter's average. */
export type Moment = "mean" | "square" | "average";

/** The name of a moment's state in programs, and of its tensor in files. */
export const momentName = (moment: Moment, parameter: string): string => `${moment}.${parameter}`;

/** The moments that settings ask for. */
export function momentsOf({ ema }: Pick<TrainerSettings, "ema">): readonly Moment[] {
  return ema === undefined ? ["mean", "square"] : ["mean", "square", "average"];
}

/** The inputs of an update, each a scalar: numbers that change from step to step. */
export interface UpdateScalars {
  /** 1 − learning rate · weight decay. */
  readonly kept: number;
  /** The learning rate over the mean's bias, 1 − β₁ᵗ. */
  readonly stepSize: number;
  /** One over the root of the square's bias, 1 − β₂ᵗ. */
  readonly rootScale: number;
}

/** The scalars of an update. @param step How many updates were made before it. */
export function updateScalars(step: number, settings: TrainerSettings): UpdateScalars {
  const rate = learningRateAt(step, settings);
  const [beta1, beta2] = settings.betas;
  return {
    kept: 1 - rate * settings.weightDecay,
    stepSize: rate / (1 - beta1 ** (step + 1)),
    rootScale: 1 / Math.sqrt(1 - beta2 ** (step + 1)),
  };
}

const scalarInput = (builder: Builder, name: keyof UpdateScalars): Value => builder.input(name, "float32", []);

/** The norm of all gradients together. */
export function gradientNorm(builder: Builder, trained: readonly Trained[]): Value {
  const squares = trained.map(({ name, gradient }) =>
    builder.scope(name, () => reduceSum(mul(gradient, gradient), { axes: gradient.shape.map((_, axis) => axis) }))
  );
  return sqrt(squares.reduce((sum, square) => add(sum, square)));
}

/** min(1, limit / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. */
function clipFactor(norm: Value, limit: number): Value {
  const { builder } = norm;
  const [one, most] = [builder.scalar(1), builder.scalar(limit)];
  const enlarged = add(norm, builder.scalar(1e-6));
  return where(greaterOrEqual(most, enlarged), one, div(most, enlarged));
}

/**
 * Write an update: clipping, AdamW, the moving average; and the output `gradNorm`, that of the gradients before clipping.
 *
 * @param decays Whether a parameter decays.
 */
export function writeUpdate(
  builder: Builder,
  trained: readonly Trained[],
  settings: TrainerSettings,
  decays: (name: string) => boolean,
): void {
  const norm = gradientNorm(builder, trained);
  builder.output("gradNorm", norm);
  const factor = settings.maxGradNorm === undefined ? undefined : clipFactor(norm, settings.maxGradNorm);
  // Every parameter's update waits for all gradients: by then nothing reads the old parameters, and no copies are needed.
  const stepSize = where(
    greaterOrEqual(norm, builder.scalar(0)),
    scalarInput(builder, "stepSize"),
    builder.scalar(NaN),
  );
  for (const one of trained) {
    builder.scope(one.name, () => updateParameter(builder, one, { factor, stepSize }, settings, decays(one.name)));
  }
}

function updateParameter(
  builder: Builder,
  { name, parameter, gradient }: Trained,
  { factor, stepSize }: { factor: Value | undefined; stepSize: Value },
  { betas: [beta1, beta2], epsilon, ema }: TrainerSettings,
  decays: boolean,
): void {
  const state = (moment: Moment) => builder.state(momentName(moment, name), "float32", parameter.shape);
  /** Move a state towards a value: share · state + (1 − share) · value. */
  const move = (old: Value, share: number, value: Value) =>
    add(mul(old, builder.scalar(share)), mul(value, builder.scalar(1 - share)));
  const g = factor ? mul(gradient, factor) : gradient;
  const mean = assign(state("mean"), move(state("mean"), beta1, g));
  const square = assign(state("square"), move(state("square"), beta2, mul(g, g)));
  const root = add(mul(sqrt(square), scalarInput(builder, "rootScale")), builder.scalar(epsilon));
  const kept = decays ? mul(parameter, scalarInput(builder, "kept")) : parameter;
  const updated = assign(parameter, sub(kept, mul(div(mean, root), stepSize)));
  if (ema !== undefined) assign(state("average"), move(state("average"), ema, updated));
}
