// Which nodes use the values of a graph, and which use is the last.
import type { Graph, Node, Value } from "../../../src/graph/mod.ts";
import { assignedInPlace } from "../../../src/passes/mod.ts";

/** The uses of a graph's values. */
export class ValueUses {
  /** The outputs' names by value; where a value is several outputs, the first of their names. */
  readonly outputs: ReadonlyMap<Value, string>;
  /** The values that are computed into the states that they are assigned to, with the states. */
  readonly inPlace: ReadonlyMap<Value, Value>;
  readonly #users = new Map<Value, Node[]>();
  readonly #writers: readonly number[];

  constructor(readonly graph: Graph) {
    for (const node of graph.nodes) {
      for (const value of node.inputs) {
        const users = this.#users.get(value);
        if (users) users.push(node);
        else this.#users.set(value, [node]);
      }
    }
    this.#writers = graph.nodes.filter(({ operator }) => operator.writesState === "inPlace").map(({ id }) => id);
    this.inPlace = assignedInPlace(graph);
    this.outputs = new Map([...graph.outputs].reverse().map(([name, value]) => [value, name]));
  }

  /** The nodes that read a value, once for each operand. */
  of(value: Value): readonly Node[] {
    return this.#users.get(value) ?? [];
  }

  /** Whether a value's only use is as one operand of one node. */
  isUsedOnce(value: Value): boolean {
    return this.of(value).length === 1 && !this.outputs.has(value);
  }

  /** Whether a value is used after a node. */
  isUsedAfter(value: Value, node: Node): boolean {
    return this.outputs.has(value) || this.of(value).some(({ id }) => id > node.id);
  }

  /** Whether a node between two overwrites a state that others may read there. */
  writesBetween(from: Pick<Node, "id">, to: Pick<Node, "id">): boolean {
    return this.#writers.some((id) => id > from.id && id < to.id);
  }
}
