// The lowerings of gather, scatterAdd and scatter. A table that a product reads too is read in that product's layout, so that
// a tied embedding is held once.
import { multiplyDimensions, type NamedLeaf, type Node, type Value } from "../../../src/graph/mod.ts";
import { normalizeAxis } from "../../../src/operators/mod.ts";
import { fillKernel, gatherKernel, scatterAddKernel, scatterKernel, type TablePart } from "../kernels/movement.ts";
import { elementCount } from "../kernels/shader.ts";
import { isForTexels, paddedDepth } from "../weights/layout.ts";
import type { Planner } from "./planner.ts";
import { matrixWeights, tablePartsOf } from "./weight_parts.ts";
import { type Storage, wholeView } from "./view.ts";

/** A table's entries along an axis: one kernel for each binding that they lie in. */
export function lowerGather(planner: Planner, node: Node, { axis }: { axis: number }): void {
  const [table, indices] = node.inputs;
  const parts = tableParts(planner, table, normalizeAxis(axis, table.rank));
  const [at, target] = [planner.view(indices), planner.target(node.outputs[0])];
  for (const part of parts) planner.addDispatch(gatherKernel(part, at, target, planner.profile));
}

/** A table as kernels read it: contiguous or as a product reads it, and in parts where it is larger than a binding. */
function tableParts(planner: Planner, value: Value, axis: number): TablePart[] {
  const outer = elementCount(value.shape.slice(0, axis));
  const block = elementCount(value.shape.slice(axis + 1));
  const parts = axis === 0 ? tablePartsOf(planner, value) : [];
  if (parts.length === 0) return [{ table: planner.contiguous(value), outer, entries: value.shape[axis], block }];
  const { name } = value.node.attributes as NamedLeaf;
  return parts.map((layout) => {
    const { from, to, kind } = layout;
    const storage: Storage = { kind: "weights", name, layout };
    const table = wholeView(storage, value.dataType, [to - from, block]);
    const part = { table, outer, entries: to - from, block, from: parts.length > 1 ? from : undefined };
    const texels = planner.profile.texels && isForTexels(layout);
    if (kind === "panels") return { ...part, depth: paddedDepth(layout.inputs), texels };
    return kind === "rows" ? part : { ...part, matrix: matrixWeights(name, layout) };
  });
}

/** Zeros, and updates added to the entries that the indices name. */
export function lowerScatterAdd(planner: Planner, node: Node): void {
  const [indices, updates] = node.inputs.map((value) => planner.contiguous(value));
  const target = planner.target(node.outputs[0]);
  const block = multiplyDimensions(1, ...target.shape.slice(1));
  planner.addDispatch(fillKernel(target, 0, planner.profile));
  planner.addDispatch(scatterAddKernel(indices, updates, target, block, planner.profile));
}

/** A copy of the entries, in which those that the indices name are replaced. */
export function lowerScatter(planner: Planner, node: Node): void {
  const [indices, updates] = node.inputs.slice(1).map((value) => planner.contiguous(value));
  const x = planner.view(node.inputs[0]);
  const target = planner.target(node.outputs[0]);
  planner.copy(x, target);
  planner.addDispatch(scatterKernel(indices, updates, target, elementCount(target.shape.slice(1)), planner.profile));
}
