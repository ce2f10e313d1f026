// Where a model's parameters are named: a prefix in the checkpoint, and the layers that every family is made of.
import type { Builder, Value } from "../graph/mod.ts";
import { add, layerNormalization, linear, type LinearAttributes, mul } from "../operators/mod.ts";
import { applyActivation, type NamedActivation } from "./activations.ts";
import { type LoraAdapter, loraNames, scalingOf } from "./lora/lora_adapter.ts";

/** What all places of a model share. */
export interface ScopeContext {
  /** The parameters that are read under another's name, which they share: each name by its own. */
  readonly ties: ReadonlyMap<string, string>;
  /** What is added to products of fully connected layers. */
  readonly adapter?: LoraAdapter;
  /** Is called for each fully connected layer that is written. */
  readonly onLinear?: (layer: WrittenLinear) => void;
}

/** A fully connected layer in a program. */
export interface WrittenLinear {
  /** Its place: its weight is `path.weight`. */
  readonly path: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether its weight is [inputs, outputs], as Conv1D's. */
  readonly transposed: boolean;
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
    const { adapter, onLinear } = this.context;
    onLinear?.({ path: layer.prefix, inputs, outputs, transposed: weightLayout === "in_out" });
    const adapted = adapter?.layers.has(layer.prefix) ?? false;
    const fused = typeof activation === "string" && !adapted;
    const attributes: LinearAttributes = {
      ...(weightLayout === "in_out" && { weightLayout }),
      ...(fused && { activation }),
    };
    return this.builder.scope(layer.prefix, () => {
      const weight = layer.parameter("weight", shape);
      let y = linear(x, weight, { bias: bias ? layer.parameter("bias", [outputs]) : undefined, ...attributes });
      if (adapted) y = add(y, layer.#lowRankProduct(x, outputs));
      return activation === undefined || fused ? y : applyActivation(y, activation);
    });
  }

  /** What an adapter adds to this layer's product, scaling · (x Aᵀ) Bᵀ; dropout on x belongs here. */
  #lowRankProduct(x: Value, outputs: number): Value {
    const adapter = this.context.adapter!;
    const { rank } = adapter.layers.get(this.prefix)!;
    const names = loraNames(this.prefix);
    const scaling = scalingOf(adapter, this.prefix);
    const low = linear(x, this.builder.parameter(names.a, [rank, x.shape[x.rank - 1] as number]));
    const scaled = scaling === 1 ? low : mul(low, this.builder.scalar(scaling));
    return linear(scaled, this.builder.parameter(names.b, [outputs, rank]));
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
