// The lowering of the fully connected layer: a product with packed weights where the weight is a parameter that the program
// does not write, else the general matrix product.
import type { Dimension, NamedLeaf, Node, Value } from "../../../src/graph/mod.ts";
import type { AttributesOf } from "../../../src/operators/mod.ts";
import { sizeOf } from "../../../src/tensor/mod.ts";
import type { Profile } from "../device/profile.ts";
import type { Epilogue } from "../kernels/epilogue.ts";
import { broadcastMatmulKernel, matmulKernel } from "../kernels/matmul.ts";
import { panelKernel, type PanelProduct, type PanelWeights, type TileRows } from "../kernels/panel_matmul.ts";
import { elementCount } from "../kernels/shader.ts";
import { tiledViewsKernel } from "../kernels/tiled_matmul.ts";
import {
  bytesIn,
  type JointMember,
  jointName,
  matrixDepth,
  type MatrixLayout,
  type PanelLayout,
  type PlainLayout,
} from "../weights/layout.ts";
import { addLargeProduct } from "./windows/large_products.ts";
import { matrixSteps, shapesOfViews } from "./matrix_steps.ts";
import type { Planner } from "./planner.ts";
import type { Step, Variant } from "./step.ts";
import { canNormalizeResults, type ResultNormalization } from "../kernels/texels/normalized_tile.ts";
import { areNormalized, texelPanelStep, texelVariant } from "./texels/texel_steps.ts";
import {
  encodingOf,
  isInPanels,
  matrixOf,
  matrixWeights,
  panelWeights,
  readsPanels,
  type StoredMatrix,
  weightPartsOf,
} from "./weight_parts.ts";
import {
  mergeAxes,
  reshapeView,
  type Resolve,
  sliceView,
  type Storage,
  transposeView,
  type View,
  wholeView,
} from "./view.ts";

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

/** The kernels of a product with panels, one of which is chosen by the number of rows that the program is bound for. */
function panelStep(planner: Planner, product: PanelProduct, normalization?: ResultNormalization): Step {
  return planner.profile.texels ? texelPanelStep(planner, product, normalization) : variants(product, planner.profile);
}

/** The layer normalisation that a product does of its results where it has few rows; undefined where it does none. */
function normalizationOf(planner: Planner, sum: Node, product: PanelProduct): ResultNormalization | undefined {
  const norm = planner.profile.texels && planner.fusion.normOf(sum);
  if (!norm) return undefined;
  const { epsilon = 1e-5 } = norm.attributes as AttributesOf<"layerNormalization">;
  const [scale, bias] = norm.inputs.slice(1).map((value) => planner.storedView(value));
  const [result] = norm.outputs;
  const normalization = { scale, bias, epsilon, target: planner.temporary(result.dataType, result.shape) };
  if (!canNormalizeResults(product, normalization)) return undefined;
  planner.setView(result, normalization.target);
  planner.normalizedResults.set(norm, areNormalized(product.rows));
  return normalization;
}

/** The same for devices that read no texels. */
function variants(product: PanelProduct, profile: Profile): Step {
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
  // What is read as texels is bound as such, and they may be large.
  const operands = planner.profile.texels === undefined;
  const isLarge = (view: View) => planner.windows.isLarge(view);
  if (!isLarge(target) && !(operands && (isLarge(a) || isLarge(b)))) {
    return addSmallProduct(planner, a, b, target, epilogue);
  }
  const whole = operands ? a : planner.texels.readable(a, () => true) ?? a;
  addLargeProduct(planner, { a: whole, b, target }, epilogue, {
    operands,
    add: (part, own) => addSmallProduct(planner, part.a, part.b, part.target, own),
  });
}

/** The same where all views that are bound can be. */
function addSmallProduct(planner: Planner, a: View, b: View, target: View, epilogue: Epilogue): void {
  const { profile } = planner;
  const general = matmulKernel(a, b, target, epilogue, profile);
  const [rows, columns] = target.shape.slice(-2);
  const isSmall = (resolve: Resolve) => resolve(rows) <= 4;
  const texels = profile.texels ? texelVariant(planner, a, b, target, epilogue) : undefined;
  if (texels) return void planner.steps.push([texels, { dispatch: general }]);
  if (typeof rows === "number" && rows <= 4 || !profile.broadcasts && !profile.gpu) {
    return planner.addDispatch(general);
  }
  if (!profile.gpu) {
    const wide = broadcastMatmulKernel(a, b, target, epilogue);
    planner.steps.push([{ when: isSmall, dispatch: general }, { dispatch: wide }]);
    return;
  }
  const tiled = shapesOfViews(rows, columns, profile.gpu.matmul).map((shape): Variant => {
    const { leastRows = 0, leastColumns = 0 } = shape;
    return {
      when: (resolve) => resolve(rows) >= leastRows && resolve(columns) >= leastColumns,
      dispatch: tiledViewsKernel(a, b, target, epilogue, shape),
    };
  });
  planner.steps.push([{ when: isSmall, dispatch: general }, ...tiled]);
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

/** The layouts of matrices whose outputs follow each other: of their words, and of their scales, if they have any. */
function jointLayouts(
  planner: Planner,
  matrices: readonly StoredMatrix[],
): readonly [words: readonly PlainLayout[], scales?: readonly PlainLayout[]] {
  const [first] = matrices;
  const encoding = encodingOf(planner, first);
  const inPanels = readsPanels(planner, encoding ?? planner.options.numbers(first.name));
  const layoutsOf = (part: "codes" | "scales") =>
    matrices.map((matrix): PlainLayout => {
      const { outputs, inputs, byOutput, name } = matrix;
      const range = { from: 0, to: outputs };
      const own = encodingOf(planner, matrix);
      if (own) {
        const shape = byOutput ? [outputs, inputs] : [inputs, outputs];
        return { kind: inPanels ? `panel ${part}` : part, ...range, shape, encoding: own };
      }
      const storage = planner.options.numbers(name);
      return { kind: inPanels ? "panels" : "matrix", ...range, outputs, inputs, byOutput, storage };
    });
  return encoding ? [layoutsOf("codes"), layoutsOf("scales")] : [layoutsOf("codes")];
}

/** How a layout of a matrix holds its numbers. */
function storageOf(layout: PlainLayout): PanelWeights["storage"] {
  return "encoding" in layout ? layout.encoding : (layout as MatrixLayout | PanelLayout).storage;
}

/** Add products of one value as one product: the weights and biases follow each other, the results are parts of wider rows. */
function lowerFusedProducts(planner: Planner, nodes: readonly Node[]): void {
  const [{ inputs: [value, , biasValue], attributes }] = nodes;
  const { activation } = attributes as AttributesOf<"linear">;
  const x = planner.view(value);
  const inputs = x.shape.at(-1) as number;
  const widths = nodes.map(({ outputs: [{ shape }] }) => shape.at(-1) as number);
  const outputs = widths.reduce((a, b) => a + b);
  const operands = (at: number) => nodes.map((node) => node.inputs[at]);
  const matrices = nodes.map((node) => matrixOf(planner, node)!);
  const bias = biasValue && wholeView(jointStorage(operands(2), () => ({ kind: "raw" })), "float32", [outputs]);
  const isRounded = nodes.every(({ outputs: [result] }) => planner.rounded.has(result));
  const target = planner.temporary("float32", [...x.shape.slice(0, -1), outputs], isRounded ? "saturated" : undefined);
  const product = {
    ...contiguousRows(planner, x),
    inputs,
    outputs,
    from: 0,
    to: outputs,
    epilogue: { activation, bias },
    target,
  };
  const layouts = jointLayouts(planner, matrices);
  const [words, scales] = layouts.map((own) =>
    wholeView(jointStorage(operands(1), (i) => own![i]), "float32", [outputs, inputs])
  );
  const weights = { words, scales, storage: storageOf(layouts[0][0]) };
  if (readsPanels(planner, weights.storage)) {
    planner.steps.push(panelStep(planner, { ...product, weights }));
  } else {
    const own = { ...weights, inputs: Math.ceil(inputs / matrixDepth) * matrixDepth };
    planner.steps.push(
      ...matrixSteps({ ...product, weights: own }, planner.profile, planner.normalized.get(value)),
    );
  }
  let start = 0;
  for (const [i, { outputs: [result] }] of nodes.entries()) {
    const starts = target.shape.map((_, axis) => axis === target.shape.length - 1 ? start : 0);
    planner.setView(result, sliceView(target, starts, result.shape));
    start += widths[i];
  }
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
  const parts = weightPartsOf(planner, node);
  if (parts.length === 0) {
    const matrix = weightLayout === "in_out" ? weight : transposeView(weight, [1, 0]);
    const a: View = { ...flat.x, shape: [flat.rows, flat.x.shape.at(-1)!], strides: [flat.stride, 1] };
    const to = reshapeView(target, [flat.rows, matrix.shape[1]])!;
    addProduct(planner, a, matrix, to, epilogue);
    return;
  }
  const { name, outputs, inputs } = matrixOf(planner, node)!;
  for (const layout of parts) {
    const { from, to } = layout;
    const product = { ...flat, inputs, outputs, from, to, epilogue, target };
    if (isInPanels(layout)) {
      const own = { ...product, weights: panelWeights(name, layout) };
      const normalization = sum && normalizationOf(planner, sum.result.node, own);
      planner.steps.push(panelStep(planner, own, normalization));
    } else {
      const normalized = planner.normalized.get(node.inputs[0]);
      const weights = matrixWeights(name, layout);
      planner.steps.push(...matrixSteps({ ...product, weights }, planner.profile, normalized));
    }
  }
}
