// Recomputation (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): of a layer's values only those that
// other layers read are kept, and the backward pass computes the others again when it reaches the layer. Think of a second
// copy of the layer that reads its inputs through a barrier: zero times a gradient that reaches the layer's end is added
// to them. So no backend can take the copy for the layer itself, nor compute it earlier.
import { type Builder, type Graph, isLeaf, type Node, type Value } from "../graph/mod.ts";
import { add, cast, mul, reshape, slice } from "../operators/mod.ts";
import { copyNode } from "../passes/mod.ts";
import { isFloat } from "../tensor/mod.ts";
import { layersOf } from "./layers.ts";

/** Finds the values of the forward pass for the rules of the backward pass: kept, or computed again. */
export class Recomputation {
  readonly #layers: ReturnType<typeof layersOf>;
  /** Values of a layer that another layer, or a result of the program, needs. */
  readonly #kept = new Set<Value>();
  #layer: string | undefined;
  #again = new Map<Value, Value>();
  #zero: Value | undefined;

  /** @param moved Finds a value of the forward graph, as it is kept, in the graph under construction. */
  constructor(graph: Graph, readonly builder: Builder, readonly moved: (value: Value) => Value) {
    this.#layers = layersOf(graph);
    for (const [node, layer] of this.#layers) {
      for (const value of node.inputs) if (this.#layers.get(value.node) !== layer) this.#kept.add(value);
    }
    for (const value of graph.outputs.values()) this.#kept.add(value);
  }

  /** Turn to a node of the forward pass, whose gradient `g` has arrived. */
  enter(node: Node, g: Value): void {
    const layer = this.#layers.get(node);
    if (layer === this.#layer) return;
    this.#layer = layer;
    this.#again = new Map();
    const first = slice(g, { starts: g.shape.map(() => 0), sizes: g.shape.map(() => 1) });
    this.#zero = layer === undefined
      ? undefined
      : mul(reshape(first, { shape: [] }), this.builder.scalar(0, g.dataType));
  }

  /** A value of the forward pass, for the rule of the node that was turned to. */
  find(value: Value): Value {
    const { node } = value;
    const isHere = this.#layer !== undefined && this.#layers.get(node) === this.#layer;
    return isHere && !isLeaf(node.operator) && !this.#kept.has(value) ? this.#compute(value) : this.moved(value);
  }

  #compute(value: Value): Value {
    const known = this.#again.get(value);
    if (known) return known;
    const { node } = value;
    const outputs = copyNode(node, node.inputs.map((input) => this.#operand(input)), this.builder);
    node.outputs.forEach((output, i) => this.#again.set(output, outputs[i]));
    return outputs[value.index];
  }

  /** An operand of what is computed again: through the barrier where it comes from another layer. */
  #operand(value: Value): Value {
    const found = this.find(value);
    if (found !== this.moved(value) || isLeaf(value.node.operator) || !isFloat(value.dataType)) return found;
    const known = this.#again.get(value);
    if (known) return known;
    const barred = add(found, cast(this.#zero!, { dataType: value.dataType }));
    this.#again.set(value, barred);
    return barred;
  }
}
