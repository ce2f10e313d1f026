// Expand what a backend does not support into smaller operators, until nothing is left to expand.
import { LimnerError } from "../errors/mod.ts";
import { type Graph, isLeaf, type Node } from "../graph/mod.ts";
import { rewrite } from "./rewrite.ts";

/**
 * Decompose every composite that is not supported.
 *
 * @param supports Whether a node may stay.
 * @throws {LimnerError} If a primitive is not supported.
 */
export function legalize(graph: Graph, supports: (node: Node) => boolean): Graph {
  const stays = (node: Node) => isLeaf(node.operator) || supports(node);
  while (!graph.nodes.every(stays)) {
    graph = rewrite(graph, (node, inputs) => {
      if (stays(node)) return undefined;
      if (!node.operator.decompose) {
        throw new LimnerError(
          `Cannot compile ${graph.name}: ${node.operator.name} is not supported (at ${node.label})`,
        );
      }
      return node.operator.decompose(inputs, node.attributes);
    });
  }
  return graph;
}
