// The lowerings of gather, scatterAdd and scatter. A table that a product reads too is read in that product's layout, so that
// a tied embedding is held once.
import { ShapeError } from "../../../src/errors/mod.ts";
import { type Dimension, multiplyDimensions, type NamedLeaf, type Node, type Value } from "../../../src/graph/mod.ts";
import { type AttributesOf, normalizeAxis, sameShape } from "../../../src/operators/mod.ts";
import { gatherKernel, scatterAddKernel, scatterKernel, type TablePart } from "../kernels/movement.ts";
import { elementCount } from "../kernels/shader.ts";
import { paddedDepth } from "../weights/layout.ts";
import type { Planner } from "./planner.ts";
import { isInPanels, matrixWeights, panelWeights, tablePartsOf } from "./weight_parts.ts";
import { sliceView, type Storage, type View, wholeView } from "./view.ts";

/** A table's entries along an axis: one kernel for each binding that they lie in, or a view of entries that follow each other. */
export function lowerGather(planner: Planner, node: Node, { axis }: { axis: number }): void {
  const [table, indices] = node.inputs;
  const block = normalizeAxis(axis, table.rank) === 0 ? entriesOfRange(planner, table, indices) : undefined;
  if (block) return planner.setView(node.outputs[0], block);
  const parts = tableParts(planner, table, normalizeAxis(axis, table.rank));
  const [at, target] = [planner.view(indices), planner.target(node.outputs[0])];
  for (const part of parts) planner.addDispatch(gatherKernel(part, at, target, planner.profile));
}

/** The entries of a table whose indices are a range, such as those of positions; undefined where it is not read as it is stored. */
function entriesOfRange(planner: Planner, table: Value, indices: Value): View | undefined {
  const { operator, attributes } = indices.node;
  if (operator.name !== "range" || tablePartsOf(planner, table).length > 0) return undefined;
  const view = planner.view(table);
  const { start = 0 } = attributes as AttributesOf<"range">;
  const starts = view.shape.map((_, axis): Dimension => axis === 0 ? start : 0);
  return sliceView(view, starts, [...indices.shape, ...view.shape.slice(1)]);
}

/** A table as kernels read it: contiguous or as a product reads it, and in parts where it is larger than a binding. */
function tableParts(planner: Planner, value: Value, axis: number): TablePart[] {
  const outer = elementCount(value.shape.slice(0, axis));
  const block = elementCount(value.shape.slice(axis + 1));
  const parts = axis === 0 ? tablePartsOf(planner, value) : [];
  if (parts.length === 0) return contiguousParts(planner, value, axis);
  const { name } = value.node.attributes as NamedLeaf;
  return parts.map((layout) => {
    const { from, to, kind } = layout;
    const storage: Storage = { kind: "weights", name, layout };
    const table = wholeView(storage, value.dataType, [to - from, block]);
    const part = { table, outer, entries: to - from, block, from: parts.length > 1 ? from : undefined };
    if (isInPanels(layout)) {
      return planner.profile.texels
        ? { ...part, panels: panelWeights(name, layout) }
        : { ...part, depth: paddedDepth(block as number) };
    }
    return kind === "rows" ? part : { ...part, matrix: matrixWeights(name, layout) };
  });
}

/** A contiguous table: in windows of entries, where it is larger than a binding. */
function contiguousParts(planner: Planner, value: Value, axis: number): TablePart[] {
  const outer = elementCount(value.shape.slice(0, axis));
  const block = elementCount(value.shape.slice(axis + 1));
  const table = planner.contiguous(value);
  const whole = { ...table, shape: [value.shape[axis], block], strides: [block, 1] };
  const windows = outer === 1 ? planner.windows.cut([whole]).map(([part]) => part) : [table];
  if (windows.length === 1) return [{ table, outer, entries: value.shape[axis], block }];
  let from = 0;
  return windows.map((part) => {
    if (part.shape[1] !== block) {
      throw new ShapeError(`Cannot gather from [${value.shape}]: an entry is larger than the device binds at once`);
    }
    const entries = Number(part.shape[0]);
    from += entries;
    return { table: part, outer, entries, block, from: from - entries };
  });
}

/** Zeros, and updates added to the entries that the indices name. */
export function lowerScatterAdd(planner: Planner, node: Node): void {
  const [indices, updates] = node.inputs.map((value) => planner.contiguous(value));
  const target = planner.target(node.outputs[0]);
  const block = multiplyDimensions(1, ...target.shape.slice(1));
  planner.fill(target, 0);
  let from = 0;
  // Entries at a time, where the target is larger than a binding.
  for (const [part] of planner.windows.cut([target])) {
    if (target.shape[0] === 1 || !sameShape(part.shape.slice(1), target.shape.slice(1))) {
      throw new ShapeError(`Cannot scatter to [${target.shape}]: an entry is larger than the device binds at once`);
    }
    const own = { target: part, from, entries: target.shape[0] };
    planner.addDispatch(scatterAddKernel(indices, updates, own, block, planner.profile));
    from += Number(part.shape[0]);
  }
}

/** A copy of the entries, in which those that the indices name are replaced. */
export function lowerScatter(planner: Planner, node: Node): void {
  const [indices, updates] = node.inputs.slice(1).map((value) => planner.contiguous(value));
  const x = planner.view(node.inputs[0]);
  const target = planner.target(node.outputs[0]);
  planner.copy(x, target);
  planner.addDispatch(scatterKernel(indices, updates, target, elementCount(target.shape.slice(1)), planner.profile));
}
