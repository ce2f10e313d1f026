// Values of the forward pass that wait for the backward pass in float16. Each is rounded as soon as it is computed, so that the
// float32 one is free after its last use of the forward pass, and widened where a rule reads it. What the layers compute waits
// so; parameters, inputs and the loss's own values, logits among them, stay as they are.
import { type Builder, type Graph, isLeaf, type Node, type Value } from "../graph/mod.ts";
import { cast } from "../operators/mod.ts";
import { copyNode } from "../passes/mod.ts";
import { layersOf } from "./layers.ts";

/** Movements of data: the backward pass makes them again of what they moved. */
const movements = new Set(["reshape", "transpose", "slice", "expand"]);

/** Rounds the values of the forward pass, and finds them for the backward pass. */
export class HalfStorage {
  readonly #layers: ReturnType<typeof layersOf>;
  readonly #halves = new Map<Value, Value>();
  readonly #found = new Map<Value, Value>();

  constructor(graph: Graph) {
    this.#layers = layersOf(graph);
  }

  /** Copy a node of the forward pass, and round its results. */
  readonly copy = (node: Node, inputs: readonly Value[], builder: Builder): readonly Value[] => {
    const outputs = copyNode(node, inputs, builder);
    if (this.#isStored(node)) {
      node.outputs.forEach((value, i) => {
        if (value.dataType === "float32") this.#halves.set(value, cast(outputs[i], { dataType: "float16" }));
      });
    }
    return outputs;
  };

  /**
   * A value for a rule of the backward pass.
   *
   * @param moved Finds a value of the forward graph in the graph under construction.
   */
  find(value: Value, moved: (value: Value) => Value, builder: Builder): Value {
    let found = this.#found.get(value);
    if (!found) this.#found.set(value, found = this.#widen(value, moved, builder));
    return found;
  }

  #widen(value: Value, moved: (value: Value) => Value, builder: Builder): Value {
    const half = this.#halves.get(value);
    if (half) return cast(half, { dataType: "float32" });
    const { node } = value;
    if (!movements.has(node.operator.name)) return moved(value);
    const inputs = node.inputs.map((input) => this.find(input, moved, builder));
    return inputs.every((input, i) => input === moved(node.inputs[i]))
      ? moved(value)
      : copyNode(node, inputs, builder)[value.index];
  }

  #isStored(node: Node): boolean {
    return this.#layers.get(node) !== undefined && !isLeaf(node.operator) && !movements.has(node.operator.name);
  }
}
