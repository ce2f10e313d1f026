// The lowering of the fully connected layer: a product with packed weights where the weight is a parameter that the program
// does not write, else the general matrix product.
import type { Dimension, NamedLeaf, Node, Value } from "../../../src/graph/mod.ts";
import type { AttributesOf } from "../../../src/operators/mod.ts";
import { sizeOf } from "../../../src/tensor/mod.ts";
import type { Epilogue } from "../kernels/epilogue.ts";
import { broadcastMatmulKernel, matmulKernel } from "../kernels/matmul.ts";
import {
  columnPanelKernel,
  panelKernel,
  type PanelProduct,
  sharedPanelKernel,
  type TileRows,
} from "../kernels/panel_matmul.ts";
import { elementCount } from "../kernels/shader.ts";
import {
  bytesIn,
  type JointMember,
  jointName,
  type PanelLayout,
  panelRanges,
  type PlainLayout,
} from "../weights/layout.ts";
import type { Planner, Step } from "./planner.ts";
import type { Profile } from "../device/profile.ts";
import {
  isContiguous,
  mergeAxes,
  reshapeView,
  sliceView,
  type Storage,
  transposeView,
  type View,
  wholeView,
} from "./view.ts";

/** Products with more inputs than this do not use panels, whose loops must stay short. */
const maxInputs = 60_000;

/** A view as contiguous rows, with one stride between the rows; copied if x has no such view. */
function contiguousRows(planner: Planner, x: View): { x: View; rows: Dimension; stride: Dimension } {
  const axis = x.shape.length - 1;
  const rows = elementCount(x.shape.slice(0, axis));
  const merged = mergeAxes(x.shape.slice(0, axis), [x.strides.slice(0, axis)]);
  if (merged.shape.length <= 1 && (x.strides[axis] === 1 || x.shape[axis] === 1)) {
    return { x, rows, stride: merged.strides[0][0] ?? 0 };
  }
  return { x: planner.contiguousView(x), rows, stride: x.shape[axis] };
}

/** The kernels of a product, one of which is chosen by the number of rows that the program is bound for. */
function variants(product: PanelProduct, profile: Profile): Step {
  if (profile.sharedTiles) {
    return [
      { when: (resolve) => resolve(product.rows) <= 4, dispatch: columnPanelKernel(product) },
      { dispatch: sharedPanelKernel(product) },
    ];
  }
  const heights: readonly TileRows[] = profile.broadcasts ? [1, 2, 4, 8, 16] : [1, 2, 4, 8];
  const known = typeof product.rows === "number" ? product.rows : undefined;
  return heights.flatMap((rows, i) => {
    const last = i === heights.length - 1;
    if (known !== undefined && (known > rows && !last || i > 0 && known <= heights[i - 1])) return [];
    const dispatch = panelKernel(product, rows, profile);
    return last ? [{ dispatch }] : [{ when: (resolve) => resolve(product.rows) <= rows, dispatch }];
  });
}

/** Add the product of two views, completed by the epilogue; target is contiguous. */
export function addProduct(planner: Planner, a: View, b: View, target: View, epilogue: Epilogue): void {
  const { profile } = planner;
  const general = matmulKernel(a, b, target, epilogue, profile);
  const rows = target.shape[target.shape.length - 2];
  if (!profile.broadcasts || (typeof rows === "number" && rows <= 4)) return planner.addDispatch(general);
  const wide = broadcastMatmulKernel(a, b, target, epilogue);
  planner.steps.push([{ when: (resolve) => resolve(rows) <= 4, dispatch: general }, { dispatch: wide }]);
}

/** Parameters that lie one after another in one buffer, as one storage. */
function jointStorage(parameters: readonly Value[], layoutOf: (index: number) => PlainLayout): Storage {
  let bytes = 0;
  const members = parameters.map(({ node, shape }, i): JointMember => {
    const member = { name: (node.attributes as NamedLeaf).name, layout: layoutOf(i), offset: bytes };
    bytes += bytesIn(member.layout, sizeOf(shape as number[]));
    return member;
  });
  return { kind: "weights", name: jointName(members), layout: { kind: "joint", bytes, members } };
}

/** Add products of one value as one product: the weights and biases follow each other, the results are parts of wider rows. */
function lowerFusedProducts(planner: Planner, nodes: readonly Node[]): void {
  const [{ inputs: [value, , biasValue], attributes }] = nodes;
  const { weightLayout, activation } = attributes as AttributesOf<"linear">;
  const x = planner.view(value);
  const inputs = x.shape.at(-1) as number;
  const widths = nodes.map(({ outputs: [{ shape }] }) => shape.at(-1) as number);
  const outputs = widths.reduce((a, b) => a + b);
  const operands = (at: number) => nodes.map((node) => node.inputs[at]);
  const weights = jointStorage(operands(1), (i) => (
    { kind: "panels", from: 0, to: widths[i], outputs: widths[i], inputs, byOutput: weightLayout !== "in_out" }
  ));
  const bias = biasValue && wholeView(jointStorage(operands(2), () => ({ kind: "raw" })), "float32", [outputs]);
  const target = planner.temporary("float32", [...x.shape.slice(0, -1), outputs]);
  const product = {
    ...contiguousRows(planner, x),
    inputs,
    outputs,
    weights: wholeView(weights, "float32", [outputs, inputs]),
    from: 0,
    to: outputs,
    epilogue: { activation, bias },
    target,
  };
  planner.steps.push(variants(product, planner.profile));
  let start = 0;
  for (const [i, { outputs: [result] }] of nodes.entries()) {
    const starts = target.shape.map((_, axis) => axis === target.shape.length - 1 ? start : 0);
    planner.setView(result, sliceView(target, starts, result.shape));
    start += widths[i];
  }
}

/** The panels in which a linear node reads its weight, each a binding; none where it reads it as it is stored. */
export function panelsOf(planner: Planner, node: Node): readonly PanelLayout[] {
  const byOutput = (node.attributes as AttributesOf<"linear">).weightLayout !== "in_out";
  const weight = planner.view(node.inputs[1]);
  const { storage, shape: [first, second] } = weight;
  const [outputs, inputs] = (byOutput ? [first, second] : [second, first]) as number[];
  const isPacked = storage.kind === "weights" && storage.layout.kind === "raw" && planner.isPacked(storage.name) &&
    isContiguous(weight) && weight.offset === 0 && inputs <= maxInputs;
  if (!isPacked) return [];
  const parts = panelRanges(outputs, inputs, planner.options.maxBinding);
  return parts.map((part) => ({ kind: "panels", ...part, outputs, inputs, byOutput }));
}

/**
 * Add a linear node's steps.
 *
 * @param sum The sum that completes the product: `residual` is added to it, and the kernel writes `result`.
 */
export function lowerLinear(planner: Planner, node: Node, sum?: { residual: Value; result: Value }): void {
  const fused = planner.fusion.fusedProductsOf(node);
  if (fused.length > 1) return lowerFusedProducts(planner, fused);
  const { weightLayout, activation } = node.attributes as AttributesOf<"linear">;
  const [x, weight, biasValue] = node.inputs.map((value) => planner.view(value));
  const residual = sum && planner.contiguous(sum.residual);
  const bias = biasValue && planner.contiguousView(biasValue);
  const epilogue: Epilogue = { bias, activation, residual };
  const target = planner.target(sum?.result ?? node.outputs[0]);
  const flat = contiguousRows(planner, x);
  const panels = panelsOf(planner, node);
  if (panels.length === 0) {
    const matrix = weightLayout === "in_out" ? weight : transposeView(weight, [1, 0]);
    const a: View = { ...flat.x, shape: [flat.rows, flat.x.shape.at(-1)!], strides: [flat.stride, 1] };
    const to = reshapeView(target, [flat.rows, matrix.shape[1]])!;
    addProduct(planner, a, matrix, to, epilogue);
    return;
  }
  for (const layout of panels) {
    const { from, to, outputs, inputs } = layout;
    const weights = wholeView({ ...weight.storage, layout } as Storage, "float32", [to - from, inputs]);
    const product = { ...flat, inputs, outputs, weights, from, to, epilogue, target };
    planner.steps.push(variants(product, planner.profile));
  }
}
