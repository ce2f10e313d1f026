// Passes: functions from graphs to graphs.
import type { Graph, Node } from "../graph/mod.ts";
import { legalize } from "./legalize.ts";
import { simplify } from "./simplify.ts";

export { cutGraph } from "./cut.ts";
export { assignedInPlace, dependencies } from "./in_place.ts";
export { legalize } from "./legalize.ts";
export { copyNode, rewrite, type Visitor } from "./rewrite.ts";
export { simplify } from "./simplify.ts";

/**
 * Prepare a graph for a backend: the same program, simplified, in operators that the backend supports.
 *
 * @param supports Whether the backend compiles a node as it is.
 * @throws {LimnerError} If a primitive is not supported.
 */
export function prepare(graph: Graph, supports: (node: Node) => boolean): Graph {
  return simplify(legalize(simplify(graph), supports));
}
