// Simplification: nodes that nothing uses are dropped, equal nodes are merged, and movements of data that move nothing or
// undo each other are removed.
import { attributeKey, constantOperator, type Graph, isLeaf, type Node, type Shape, type Value } from "../graph/mod.ts";
import { type AttributesOf, type PrimitiveName, reshape, sameShape, transpose } from "../operators/mod.ts";
import { copyNode, rewrite, type Visitor } from "./rewrite.ts";

/** The nodes that an output or a state depends on. */
function liveNodes(graph: Graph): Set<Node> {
  const live = new Set<Node>();
  const outputs = new Set([...graph.outputs.values()].map((value) => value.node));
  for (const node of graph.nodes.toReversed()) {
    if (!live.has(node) && !outputs.has(node) && !node.operator.writesState) continue;
    live.add(node);
    for (const { node: source } of node.inputs) live.add(source);
  }
  return live;
}

type RewriteRule<K extends PrimitiveName> = (x: Value, attributes: AttributesOf<K>, output: Shape) => Value | undefined;

const rewriteRules: { [K in PrimitiveName]?: RewriteRule<K> } = {
  reshape: (x, _, shape) => {
    if (sameShape(x.shape, shape)) return x;
    return x.node.operator.name === "reshape" ? reshape(x.node.inputs[0], { shape }) : undefined;
  },
  transpose: (x, { permutation }) => {
    if (permutation.every((axis, i) => axis === i)) return x;
    if (x.node.operator.name !== "transpose") return undefined;
    const inner = (x.node.attributes as AttributesOf<"transpose">).permutation;
    const both = permutation.map((axis) => inner[axis]);
    const [source] = x.node.inputs;
    return both.every((axis, i) => axis === i) ? source : transpose(source, { permutation: both });
  },
  expand: (x, _, shape) => sameShape(x.shape, shape) ? x : undefined,
  slice: (x, _, shape) => sameShape(x.shape, shape) ? x : undefined,
  pad: (x, _, shape) => sameShape(x.shape, shape) ? x : undefined,
  concat: (x, _, shape) => sameShape(x.shape, shape) ? x : undefined,
};

/** A key that equal computations share; undefined for nodes that must not be merged. */
function keyOf(node: Node, inputs: readonly Value[]): string | undefined {
  if (node.operator.writesState || isLeaf(node.operator)) return undefined;
  return `${node.operator.name} ${inputs.map((value) => `${value.node.id}.${value.index}`)} ${
    attributeKey(node.attributes)
  }`;
}

/** Drop unused nodes, merge equal ones and shorten movements; the program's results stay the same. */
export function simplify(graph: Graph): Graph {
  const live = liveNodes(graph);
  const known = new Map<string, readonly Value[]>();
  const visit: Visitor = (node, inputs, builder) => {
    // Inputs, parameters and states stay, since callers bind them by name; other nodes that nothing uses are dropped.
    if (!live.has(node) && (!isLeaf(node.operator) || node.operator === constantOperator)) return [];
    const { name } = node.operator;
    const rule = rewriteRules[name as PrimitiveName] as RewriteRule<PrimitiveName> | undefined;
    const shorter = rule?.(inputs[0], node.attributes as never, node.outputs[0].shape);
    if (shorter) return [shorter];
    const key = keyOf(node, inputs);
    if (key === undefined) return undefined;
    let outputs = known.get(key);
    if (!outputs) known.set(key, outputs = copyNode(node, inputs, builder));
    return outputs;
  };
  return rewrite(graph, visit);
}
