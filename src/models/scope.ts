// Where a model's parameters are named: a prefix in the checkpoint, and the layers that every family is made of.
import type { GraphBuilder, Value } from "../graph/mod.ts";
import { type Activation, layerNormalization, linear } from "../operators/mod.ts";

/** A place in a checkpoint, such as `encoder.encoder.layer.0`, in a graph under construction. */
export class Scope {
  /**
   * @param builder The graph.
   * @param prefix The names' beginning, without the last dot.
   */
  constructor(readonly builder: GraphBuilder, readonly prefix: string) {}

  /** The place `name` below this one. */
  at(name: string): Scope {
    return new Scope(this.builder, this.prefix ? `${this.prefix}.${name}` : name);
  }

  /** A parameter of this place. */
  parameter(name: string, shape: readonly number[]): Value {
    return this.builder.parameter(this.prefix ? `${this.prefix}.${name}` : name, shape);
  }

  /** torch.nn.Linear: `name.weight` [outputs, inputs] and, unless `bias` is false, `name.bias` [outputs]. */
  linear(name: string, x: Value, outputs: number, options: { bias?: boolean; activation?: Activation } = {}): Value {
    const layer = this.at(name);
    const inputs = x.shape[x.rank - 1] as number;
    return this.builder.scope(layer.prefix, () =>
      linear(x, layer.parameter("weight", [outputs, inputs]), {
        bias: options.bias === false ? undefined : layer.parameter("bias", [outputs]),
        ...(options.activation && { activation: options.activation }),
      }));
  }

  /** transformers.pytorch_utils.Conv1D: `name.weight` [inputs, outputs] and `name.bias` [outputs]. */
  conv1d(name: string, x: Value, outputs: number, options: { activation?: Activation } = {}): Value {
    const layer = this.at(name);
    const inputs = x.shape[x.rank - 1] as number;
    return this.builder.scope(layer.prefix, () =>
      linear(x, layer.parameter("weight", [inputs, outputs]), {
        weightLayout: "in_out",
        bias: layer.parameter("bias", [outputs]),
        ...options,
      }));
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
