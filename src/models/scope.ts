// Where a model's parameters are named: a prefix in the checkpoint, and the layers that every family is made of.
import type { Builder, Value } from "../graph/mod.ts";
import { layerNormalization, linear, type LinearAttributes } from "../operators/mod.ts";
import { applyActivation, type NamedActivation } from "./activations.ts";

/** What all places of a model share. */
export interface ScopeContext {
  /** The parameters that are read under another's name, which they share: each name by its own. */
  readonly ties: ReadonlyMap<string, string>;
}

/** A place in a checkpoint, such as `encoder.encoder.layer.0`, in a graph under construction. */
export class Scope {
  /**
   * @param builder The graph.
   * @param prefix The names' beginning, without the last dot.
   */
  constructor(
    readonly builder: Builder,
    readonly prefix: string,
    readonly context: ScopeContext,
  ) {}

  /** The place `name` below this one. */
  at(name: string): Scope {
    return new Scope(this.builder, this.prefix ? `${this.prefix}.${name}` : name, this.context);
  }

  /** A parameter of this place; a tied one is that which it is tied to. */
  parameter(name: string, shape: readonly number[]): Value {
    const whole = this.prefix ? `${this.prefix}.${name}` : name;
    return this.builder.parameter(this.context.ties.get(whole) ?? whole, shape);
  }

  /** torch.nn.Linear: `name.weight` [outputs, inputs] and, unless `bias` is false, `name.bias` [outputs]. */
  linear(
    name: string,
    x: Value,
    outputs: number,
    options: { bias?: boolean; activation?: NamedActivation } = {},
  ): Value {
    return this.#product(name, x, outputs, { ...options, weightLayout: "out_in" });
  }

  /** transformers.pytorch_utils.Conv1D: `name.weight` [inputs, outputs] and `name.bias` [outputs]. */
  conv1d(name: string, x: Value, outputs: number, options: { activation?: NamedActivation } = {}): Value {
    return this.#product(name, x, outputs, { ...options, weightLayout: "in_out" });
  }

  #product(
    name: string,
    x: Value,
    outputs: number,
    options: { bias?: boolean; activation?: NamedActivation; weightLayout: "out_in" | "in_out" },
  ): Value {
    const { bias = true, activation, weightLayout } = options;
    const layer = this.at(name);
    const inputs = x.shape[x.rank - 1] as number;
    const shape = weightLayout === "out_in" ? [outputs, inputs] : [inputs, outputs];
    const attributes: LinearAttributes = {
      ...(weightLayout === "in_out" && { weightLayout }),
      ...(typeof activation === "string" && { activation }),
    };
    return this.builder.scope(layer.prefix, () => {
      const weight = layer.parameter("weight", shape);
      const y = linear(x, weight, { bias: bias ? layer.parameter("bias", [outputs]) : undefined, ...attributes });
      return typeof activation === "function" ? applyActivation(y, activation) : y;
    });
  }

  /** torch.nn.LayerNorm over the last axis: `name.weight` and `name.bias`. */
  layerNorm(name: string, x: Value, epsilon = 1e-5): Value {
    const layer = this.at(name);
    const width = [x.shape[x.rank - 1] as number];
    return this.builder.scope(
      layer.prefix,
      () =>
        layerNormalization(x, {
          scale: layer.parameter("weight", width),
          bias: layer.parameter("bias", width),
          epsilon,
        }),
    );
  }
}
