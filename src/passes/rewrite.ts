// The base of all passes: a new graph from an old one, node by node, each copied or replaced.
import {
  type Builder,
  constantOperator,
  type Graph,
  GraphBuilder,
  inputOperator,
  type NamedLeaf,
  type Node,
  parameterOperator,
  stateOperator,
  type Value,
} from "../graph/mod.ts";

/** Replaces a node: returns the values that take the place of its outputs in the new graph, or undefined to copy it. */
export type Visitor = (node: Node, inputs: readonly Value[], builder: Builder) => readonly Value[] | undefined;

/** Copy a node to another graph. */
export function copyNode(node: Node, inputs: readonly Value[], builder: Builder): readonly Value[] {
  const { operator, attributes } = node;
  if (operator === constantOperator) return builder.add(operator, [], attributes);
  const { name, dataType, shape } = attributes as NamedLeaf;
  if (operator === inputOperator) return [builder.input(name, dataType, shape)];
  if (operator === stateOperator) return [builder.state(name, dataType, shape)];
  if (operator === parameterOperator) return [builder.parameter(name, shape as readonly number[], dataType)];
  return builder.add(operator, inputs, attributes);
}

/**
 * Build a graph anew.
 *
 * @param graph The graph, which stays as it is.
 * @param visit Replaces nodes.
 * @param extend Adds to the new graph before it is finished; `moved` finds a value of the old graph in it.
 */
export function rewrite(
  graph: Graph,
  visit: Visitor,
  extend?: (builder: Builder, moved: (value: Value) => Value) => void,
): Graph {
  const builder = new GraphBuilder(graph.name);
  const values = new Map<Value, Value>();
  const moved = (value: Value): Value => values.get(value)!;
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(moved);
    const outputs = builder.scope(
      node.label,
      () => visit(node, inputs, builder) ?? copyNode(node, inputs, builder),
    );
    node.outputs.forEach((value, i) => values.set(value, outputs[i]));
  }
  for (const [name, value] of graph.outputs) builder.output(name, moved(value));
  extend?.(builder, moved);
  return builder.build();
}
