// Where a model's parameters are named: a prefix in the checkpoint, and the layers that every family is made of.
import type { Builder, Value } from "../graph/mod.ts";
import {
  add,
  attention,
  type AttentionAttributes,
  attentionProbabilities,
  dropout,
  layerNormalization,
  linear,
  type LinearAttributes,
  matmul,
  mul,
  streamOf,
} from "../operators/mod.ts";
import { applyActivation, type NamedActivation } from "./activations.ts";
import { type LoraAdapter, loraNames, scalingOf } from "./lora/lora_adapter.ts";

/** What all places of a model share. */
export interface ScopeContext {
  /** The parameters that are read under another's name, which they share: each name by its own. */
  readonly ties: ReadonlyMap<string, string>;
  /** Whether the program is for training, and drops as the configuration says. @default false */
  readonly dropout?: boolean;
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

/** The input of a program that drops: what `randomKey` makes of a seed and a step, [2], int64. */
export const dropoutKey = "dropoutKey";

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

  /** torch.nn.Dropout at the place `name`; the identity, without a node, where nothing is dropped. */
  dropout(name: string, x: Value, probability: number): Value {
    return this.#drop(name, x, probability, false);
  }

  /** Stochastic depth (`DropPath`): what a layer adds to its input is dropped for whole samples, [batch, ...]. */
  dropPath(name: string, x: Value, probability: number): Value {
    return this.#drop(name, x, probability, true);
  }

  /** What drops from an attention's probabilities; undefined where nothing is dropped. */
  attentionDropout(name: string, probability: number): ((probabilities: Value) => Value) | undefined {
    if (!this.context.dropout || probability === 0) return undefined;
    return (probabilities) => this.dropout(name, probabilities, probability);
  }

  /** Attention from whose probabilities `drop` takes some, as `attentionDropout` of the place `name` says. */
  attention(
    name: string,
    { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
    { drop: probability, ...options }: AttentionAttributes & { mask?: Value; drop: number },
  ): Value {
    const drop = this.attentionDropout(name, probability);
    return drop
      ? matmul(drop(attentionProbabilities(query, key, options)), value)
      : attention(query, key, value, options);
  }

  #drop(name: string, x: Value, probability: number, perSample: boolean): Value {
    if (!this.context.dropout || probability === 0) return x;
    const { builder } = this;
    const place = this.at(name).prefix;
    return builder.scope(place, () => {
      if (probability === 1) return mul(x, builder.scalar(0));
      const key = builder.input(dropoutKey, "int64", [2]);
      return dropout(x, key, { probability, stream: streamOf(place), ...(perSample && { perSample }) });
    });
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

  /** What an adapter adds to this layer's product, scaling · (x Aᵀ) Bᵀ; in training x drops some. */
  #lowRankProduct(x: Value, outputs: number): Value {
    const adapter = this.context.adapter!;
    const { rank } = adapter.layers.get(this.prefix)!;
    const names = loraNames(this.prefix);
    const scaling = scalingOf(adapter, this.prefix);
    const kept = this.dropout("lora_dropout", x, adapter.dropout);
    const low = linear(kept, this.builder.parameter(names.a, [rank, x.shape[x.rank - 1] as number]));
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
