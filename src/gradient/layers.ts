// Which layer of a model each node of its program belongs to.
import type { Graph, Node } from "../graph/mod.ts";

/** The layer that a node's label names: `encoder.encoder.layer.3`, `encoder.encoder.layers.0.blocks.1`. */
const layerName = /^.*?(?:\.(?:layers?|blocks|h)\.\d+)+/;

/** The layer of each node, undefined outside of all; a node without a label is of the layer of the one before it. */
export function layersOf(graph: Graph): ReadonlyMap<Node, string | undefined> {
  let layer: string | undefined;
  return new Map(graph.nodes.map((node) => {
    if (node.label) layer = layerName.exec(node.label)?.[0];
    return [node, layer];
  }));
}
