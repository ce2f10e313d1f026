// How each operator becomes views and kernels. Movements of data become views; the table must have every primitive.
import { addDimensions, type Dimension, type Node } from "../../../src/graph/mod.ts";
import {
  type AttributesOf,
  type CompositeName,
  normalizeAxis,
  type PrimitiveName,
  type ReductionAttributes,
} from "../../../src/operators/mod.ts";
import { canAttend, lowerAttention } from "./attention/attention_lowering.ts";
import { lowerCast } from "./cast_lowering.ts";
import { appendedPlace, lowerCacheAppend } from "./attention/cache_appends.ts";
import { rangeKernel, reorderKernel } from "../kernels/movement.ts";
import { bernoulliKernel, dropoutKernel } from "../kernels/random.ts";
import { type Combination, cumulativeSumKernel } from "../kernels/reduction.ts";
import { linesAlong, linesOfOne, softmaxKernel, topKernel } from "../kernels/softmax_norm_topk.ts";
import { elementCount } from "../kernels/shader.ts";
import { lowerLayerNormalization } from "./norm_lowering.ts";
import { addProduct, lowerLinear } from "./linear_lowering.ts";
import type { Planner } from "./planner.ts";
import { lowerReduction } from "./reduction_lowering.ts";
import { lowerGather, lowerScatter, lowerScatterAdd } from "./indexing_lowerings.ts";
import { broadcastView, reshapeView, sliceView, transposeView, type View } from "./view.ts";

/** Adds a node's steps to a plan and sets the views of its outputs. */
type Lowering<A> = (planner: Planner, node: Node, attributes: A) => void;

const elementwise: Lowering<object> = (planner, node) => planner.lowerElementwise(node);

/** A node that only changes how its operand is seen. */
function movement<A>(see: (view: View, node: Node, attributes: A, planner: Planner) => View): Lowering<A> {
  return (planner, node, attributes) => {
    planner.setView(node.outputs[0], see(planner.view(node.inputs[0]), node, attributes, planner));
  };
}

function reduce(combination: Combination, mean = false): Lowering<ReductionAttributes> {
  return (planner, node, { axes }) => {
    const x = planner.view(node.inputs[0]);
    const gone = axes.map((axis) => normalizeAxis(axis, x.shape.length));
    const scale = mean ? elementCount(gone.map((axis) => x.shape[axis])) : undefined;
    lowerReduction(planner, { x, gone: new Set(gone) }, planner.target(node.outputs[0]), { combination, scale });
  };
}

function concat(planner: Planner, node: Node, { axis }: { axis: number }): void {
  const [value] = node.outputs;
  const views = node.inputs.map((input) => planner.view(input));
  const target = planner.target(value);
  const along = normalizeAxis(axis, value.rank);
  let start: Dimension = 0;
  for (const [i, view] of views.entries()) {
    const starts = value.shape.map((_, n): Dimension => n === along ? start : 0);
    planner.copy(view, sliceView(target, starts, node.inputs[i].shape));
    start = addDimensions(start, view.shape[along]);
  }
}

function top(planner: Planner, node: Node, { axis, k }: { axis: number; k?: number }): void {
  const x = planner.view(node.inputs[0]);
  const along = normalizeAxis(axis, x.shape.length);
  const lines = linesAlong(x, along);
  const values = k === undefined ? undefined : planner.target(node.outputs[0]);
  const found = node.outputs[node.outputs.length - 1];
  const target = appendedPlace(planner, found) ?? planner.target(found);
  const indices = target.shape.length < x.shape.length ? linesOfOne(target) : linesAlong(target, along);
  planner.addDispatch(topKernel(lines, { k: k ?? 1, indices, values }, planner.profile));
}

function softmax(logarithm: boolean): Lowering<{ axis: number }> {
  return (planner, node, { axis }) => {
    const x = planner.view(node.inputs[0]);
    const along = normalizeAxis(axis, x.shape.length);
    const target = planner.target(node.outputs[0]);
    planner.addDispatch(softmaxKernel(linesAlong(x, along), linesAlong(target, along), { logarithm }, planner.profile));
  };
}

/** The lowering of every primitive. */
export const primitiveLowerings = {
  add: (planner, node) => {
    const sum = planner.fusion.fusedSumOf(node);
    if (sum) lowerLinear(planner, sum.product, { residual: sum.other, result: node.outputs[0] });
    else planner.lowerElementwise(node);
  },
  sub: elementwise,
  mul: elementwise,
  div: elementwise,
  equal: elementwise,
  greaterOrEqual: elementwise,
  sqrt: elementwise,
  exp: elementwise,
  log: elementwise,
  tanh: elementwise,
  erf: elementwise,
  sigmoid: elementwise,
  relu: elementwise,
  neg: elementwise,
  abs: elementwise,
  pow: elementwise,
  where: elementwise,
  cast: lowerCast,
  reshape: movement((view, { outputs: [{ shape }] }, _, planner) =>
    reshapeView(view, shape) ?? reshapeView(planner.contiguousView(view), shape)!
  ),
  transpose: movement((view, _, { permutation }) => transposeView(view, permutation)),
  expand: movement((view, { outputs: [{ shape }] }) => broadcastView(view, shape)),
  slice: movement((view, { outputs: [{ shape }] }, { starts }) => sliceView(view, starts, shape)),
  concat,
  pad: (planner, node, { beginning, value = 0 }) => {
    const view = planner.view(node.inputs[0]);
    const target = planner.target(node.outputs[0]);
    planner.fill(target, value);
    planner.copy(view, sliceView(target, beginning, view.shape));
  },
  matmul: (planner, node) => {
    const [a, b] = node.inputs.map((value) => planner.view(value));
    addProduct(planner, a, b, planner.target(node.outputs[0]), {});
  },
  reduceSum: reduce("sum"),
  reduceMax: reduce("maximum"),
  cumulativeSum: (planner, node, { axis, reversed = false }) => {
    const x = planner.contiguous(node.inputs[0]);
    const options = { axis: normalizeAxis(axis, x.shape.length), reversed };
    planner.addDispatch(cumulativeSumKernel(x, planner.target(node.outputs[0]), options, planner.profile));
  },
  argMax: (planner, node, { axis }) => top(planner, node, { axis }),
  topK: top,
  range: (planner, { outputs: [value] }, { start = 0 }) =>
    planner.computeWhenRead(
      value,
      () => planner.addDispatch(rangeKernel(planner.target(value), start, planner.profile)),
    ),
  gather: lowerGather,
  scatterAdd: lowerScatterAdd,
  scatter: lowerScatter,
  cacheAppend: lowerCacheAppend,
  bernoulli: (planner, node, attributes) => {
    const target = planner.target(node.outputs[0]);
    planner.addDispatch(bernoulliKernel(planner.contiguous(node.inputs[0]), target, attributes, planner.profile));
  },
  assign: (planner, node) => {
    planner.assign(planner.view(node.inputs[0]), node.inputs[1]);
    planner.setView(node.outputs[0], planner.view(node.inputs[1]));
  },
} satisfies { [K in PrimitiveName]: Lowering<AttributesOf<K>> };

/** The composites that have kernels of their own. */
export const compositeLowerings = {
  cacheReorder: (planner, node, { axis, ...attributes }) => {
    const state = planner.view(node.inputs[0]);
    const rows = planner.contiguous(node.inputs[1]);
    planner.copyViewsBeforeWrite(state, node);
    const along = normalizeAxis(axis, state.shape.length);
    planner.addDispatch(reorderKernel(state, rows, { axis: along, ...attributes }, planner.profile));
    planner.setView(node.outputs[0], state);
  },
  linear: (planner, node) => lowerLinear(planner, node),
  gelu: elementwise,
  silu: elementwise,
  softmax: softmax(false),
  logSoftmax: softmax(true),
  reduceMean: reduce("sum", true),
  layerNormalization: lowerLayerNormalization,
  attention: lowerAttention,
  dropout: (planner, node, attributes) => {
    const operands = { x: planner.view(node.inputs[0]), key: planner.contiguous(node.inputs[1]) };
    planner.addDispatch(dropoutKernel(operands, planner.target(node.outputs[0]), attributes, planner.profile));
  },
} satisfies { [K in CompositeName]?: Lowering<AttributesOf<K>> };

const lowerings: Readonly<Record<string, Lowering<never>>> = { ...primitiveLowerings, ...compositeLowerings };

/** The largest group of a cacheReorder: an invocation reads all rows of a group before it writes any. */
const maxGroup = 64;

/** The longest lines that a workgroup can compute without too many iterations. */
const maxLine = 1 << 20;

/** Whether a node has a lowering for its shapes. */
export function isSupported({ operator: { name }, inputs, attributes }: Node): boolean {
  if (!Object.hasOwn(lowerings, name)) return false;
  if (name === "attention") return canAttend(inputs);
  if (!Object.hasOwn(compositeLowerings, name)) return true;
  if (name === "cacheReorder") return (attributes as AttributesOf<"cacheReorder">).group <= maxGroup;
  return inputs[0].shape.every((length) => typeof length === "string" || length <= maxLine);
}

/** Add a node's steps to a plan. */
export function lower(planner: Planner, node: Node): void {
  lowerings[node.operator.name](planner, node, node.attributes as never);
}
