// The memory that a program needs at least, if each value is freed after its last use.
import { type Graph, isLeaf, resolveShape, type Sizes, type Value } from "../../src/graph/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { bytesPerElement, sizeOf } from "../../src/tensor/mod.ts";

/** Operators whose results are other views of their input. */
const views = new Set(["reshape", "transpose", "slice", "expand"]);

/** The most bytes of a program's values that live at once, in the order of its nodes and without its leaves and views. */
export function peakOfLiveBytes(graph: Graph, sizes: Sizes): number {
  const { nodes, outputs } = prepare(graph, () => true);
  const lastUse = new Map<Value, number>();
  nodes.forEach(({ inputs }, i) => inputs.forEach((value) => lastUse.set(value, i)));
  for (const value of outputs.values()) lastUse.set(value, nodes.length);
  const freed = Array(nodes.length + 1).fill(0);
  let live = 0, peak = 0;
  nodes.forEach((node, i) => {
    if (!isLeaf(node.operator) && !views.has(node.operator.name)) {
      for (const value of node.outputs) {
        const bytes = bytesPerElement(value.dataType) * sizeOf(resolveShape(value.shape, sizes));
        live += bytes;
        freed[lastUse.get(value) ?? i] += bytes;
      }
    }
    peak = Math.max(peak, live);
    live -= freed[i];
  });
  return peak;
}
