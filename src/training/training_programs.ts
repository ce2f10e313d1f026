// The programs of training: a step (forward, backward, update), the same in two parts where gradients are added up first,
// and the update alone. All work in place on the parameters and on the states beside them.
import { differentiate, type DifferentiateOptions } from "../gradient/mod.ts";
import { type Builder, type Graph, GraphBuilder, type Value } from "../graph/mod.ts";
import { type Architecture, buildForward, loraNames } from "../models/mod.ts";
import { add, assign, equal, mul, where } from "../operators/mod.ts";
import { type Trained, writeUpdate } from "./optimizer.ts";
import type { TrainerSettings } from "./trainer_options.ts";

/** The name of the state that holds the sum of a parameter's gradients. */
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

/** What is trained of a model, and how. */
export interface TrainingPlan {
  readonly architecture: Architecture;
  readonly settings: TrainerSettings;
  /** The parameters with a gradient that are trained, by name, in the order the program meets them. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Whether a parameter decays. */
  readonly decays: (name: string) => boolean;
}

/** The height and width of the pictures, in pixels. */
export type PictureSize = readonly [height: number, width: number];

/** The parameters of an architecture's adapter, or undefined where it has none. */
function adapterParameters({ adapter }: Architecture): ReadonlySet<string> | undefined {
  return adapter && new Set([...adapter.layers.keys()].flatMap((path) => Object.values(loraNames(path))));
}

/**
 * Find out what is trained: the parameters that are not frozen and that the loss depends on; of a model with an adapter, the
 * adapter's.
 */
export function planTraining(architecture: Architecture, settings: TrainerSettings): TrainingPlan {
  const shapes = new Map<string, readonly number[]>();
  const forward = forwardGraph(architecture, settings, architecture.encoder.imageSize);
  const adapter = adapterParameters(architecture);
  const isTrained = (name: string) => (adapter?.has(name) ?? true) && !settings.frozen(name);
  differentiateLoss(forward, {}, isTrained, (_, trained) => {
    for (const { name, parameter } of trained) shapes.set(name, parameter.shape as number[]);
  });
  const { decay } = settings;
  const spared = decay === "transformers" ? normalizationParameters(forward) : new Set<string>();
  const decays = decay === "transformers" ? (name: string) => !spared.has(name) && !isSparedByName(name) : decay;
  return { architecture, settings, shapes, decays };
}

function forwardGraph(architecture: Architecture, settings: TrainerSettings, size: PictureSize): Graph {
  const { labelSmoothing, dropout } = settings;
  return buildForward(architecture, { size, loss: { labelSmoothing }, logits: false, states: false, dropout });
}

/** Differentiate the loss by the parameters, and let `extend` go on with those that have a gradient. */
function differentiateLoss(
  forward: Graph,
  options: DifferentiateOptions,
  isTrained: (name: string) => boolean,
  extend: (builder: Builder, trained: readonly Trained[]) => void,
): Graph {
  const names = [...forward.parameters.keys()].filter(isTrained);
  const parameters = names.map((name) => forward.parameters.get(name)!);
  const extendTrained = (builder: Builder, moved: readonly Value[], gradients: readonly (Value | undefined)[]) => {
    const trained = moved.flatMap((parameter, i): Trained[] => {
      const gradient = gradients[i];
      return gradient ? [{ name: names[i], parameter, gradient }] : [];
    });
    extend(builder, trained);
  };
  return differentiate(forward, "loss", parameters, extendTrained, options);
}

/** How a step keeps the values of the forward pass. */
function keeping({ checkpoint, activationStorage }: TrainerSettings): DifferentiateOptions {
  return { recompute: checkpoint, activationStorage };
}

/** The parameters of layer normalizations: scales and biases. */
function normalizationParameters(forward: Graph): Set<string> {
  const names = new Map([...forward.parameters].map(([name, value]) => [value, name]));
  const nodes = forward.nodes.filter(({ operator }) => operator.name === "layerNormalization");
  return new Set(nodes.flatMap(({ inputs }) => inputs.flatMap((value: Value) => names.get(value) ?? [])));
}

/** What Transformers' Trainer (get_decay_parameter_names) spares by name. */
function isSparedByName(name: string): boolean {
  return /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/.test(name.toLowerCase());
}

/**
 * A whole step.
 *
 * Inputs as `buildForward`'s with labels, and the scalars of an update; states: the moments. Outputs `loss` and `gradNorm`.
 */
export function buildStep({ architecture, settings, shapes, decays }: TrainingPlan, size: PictureSize): Graph {
  const forward = forwardGraph(architecture, settings, size);
  return differentiateLoss(forward, keeping(settings), (name) => shapes.has(name), (builder, trained) => {
    writeUpdate(builder, trained, settings, decays);
  });
}

/**
 * A step's gradients, times the input `weight`, added to the states `gradient.*`; where the input `begins` is 1 and not 0,
 * what these held is forgotten. Output `loss`.
 */
export function buildAccumulation({ architecture, settings, shapes }: TrainingPlan, size: PictureSize): Graph {
  const forward = forwardGraph(architecture, settings, size);
  return differentiateLoss(forward, keeping(settings), (name) => shapes.has(name), (builder, trained) => {
    const weight = builder.input("weight", "float32", []);
    const begins = equal(builder.input("begins", "float32", []), builder.scalar(1));
    for (const { name, gradient } of trained) {
      builder.scope(name, () => {
        const sum = builder.state(gradientName(name), "float32", gradient.shape);
        assign(sum, add(where(begins, builder.scalar(0), sum), mul(gradient, weight)));
      });
    }
  });
}

/** An update from the inputs `gradient.*`, times the input `scale`. Output `gradNorm`. */
export function buildUpdate({ settings, shapes, decays }: TrainingPlan): Graph {
  const builder = new GraphBuilder("update");
  const scale = builder.input("scale", "float32", []);
  const trained = [...shapes].map(([name, shape]): Trained => ({
    name,
    parameter: builder.parameter(name, shape),
    gradient: mul(builder.input(gradientName(name), "float32", shape), scale),
  }));
  writeUpdate(builder, trained, settings, decays);
  return builder.build();
}
