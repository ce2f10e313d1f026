// Passes: graphs to graphs.
import type { Backend, Graph } from "../graph/mod.ts";
import { legalize } from "./legalize.ts";
import { simplify } from "./simplify.ts";

export { legalize } from "./legalize.ts";
export { copyNode, rewrite, type Visitor } from "./rewrite.ts";
export { simplify } from "./simplify.ts";

/** What a graph goes through before a backend compiles it. */
export function prepare(graph: Graph, backend: Pick<Backend, "supports">): Graph {
  return simplify(legalize(simplify(graph), (node) => backend.supports(node)));
}
