// The lowerings of gather, scatterAdd and scatter. A table that a product reads too is read in that product's layout, so that
// a tied embedding is held once.
import { multiplyDimensions, type Node, parameterOperator, type Value } from "../../../src/graph/mod.ts";
import { normalizeAxis } from "../../../src/operators/mod.ts";
import { sizeOf } from "../../../src/tensor/mod.ts";
import { fillKernel, gatherKernel, scatterAddKernel, scatterKernel, type TablePart } from "../kernels/movement.ts";
import { elementCount } from "../kernels/shader.ts";
import { paddedDepth, type PanelLayout, rowRanges, type RowsLayout } from "../weights/layout.ts";
import { panelsOf } from "./linear_lowering.ts";
import type { Planner } from "./planner.ts";
import { type Storage, wholeView } from "./view.ts";

/** A table's entries along an axis: one kernel for each binding that they lie in. */
export function lowerGather(planner: Planner, node: Node, { axis }: { axis: number }): void {
  const [table, indices] = node.inputs;
  const parts = tableParts(planner, table, normalizeAxis(axis, table.rank));
  const [at, target] = [planner.view(indices), planner.target(node.outputs[0])];
  for (const part of parts) planner.addDispatch(gatherKernel(part, at, target, planner.profile));
}

/** A table as kernels read it: contiguous or in a product's panels, and in parts where it is larger than a binding. */
function tableParts(planner: Planner, value: Value, axis: number): TablePart[] {
  const outer = elementCount(value.shape.slice(0, axis));
  const block = elementCount(value.shape.slice(axis + 1));
  const layouts = value.node.operator === parameterOperator && axis === 0 ? layoutsOf(planner, value) : [];
  if (layouts.length === 0) return [{ table: planner.contiguous(value), outer, entries: value.shape[axis], block }];
  return layouts.map((layout) => {
    const { from, to } = layout;
    const storage = { ...planner.view(value).storage, layout } as Storage;
    const part = { table: wholeView(storage, value.dataType, [to - from, block]), outer, entries: to - from, block };
    const depth = layout.kind === "panels" ? paddedDepth(layout.inputs) : undefined;
    return { ...part, depth, from: layouts.length > 1 ? from : undefined };
  });
}

/** The parts of a parameter whose entries a product of the graph packs, or that is larger than a binding; else none. */
function layoutsOf(planner: Planner, table: Value): readonly (PanelLayout | RowsLayout)[] {
  for (const node of planner.uses.of(table)) {
    const panels = node.operator.name === "linear" && node.inputs[1] === table ? panelsOf(planner, node) : [];
    if (panels[0]?.byOutput) return panels;
  }
  const [entries, ...block] = table.shape as number[];
  const width = sizeOf(block);
  const rows = rowRanges(entries, width, planner.options.maxBinding);
  return rows.length > 1 ? rows.map((part) => ({ kind: "rows", ...part, width })) : [];
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
