// The lowering of layer normalisation: a kernel of its own, but where few rows are normalised by the product that alone reads the
// result, on a GPU, or by the one that it is the result of, on a processor.
import type { Node } from "../../../src/graph/mod.ts";
import type { AttributesOf } from "../../../src/operators/mod.ts";
import { layerNormalizationKernel, lineLength } from "../kernels/softmax_norm_topk.ts";
import { elementCount } from "../kernels/shader.ts";
import { hasFewRows } from "./matrix_steps.ts";
import type { Planner } from "./planner.ts";
import { isMultiple, type View } from "./view.ts";
import { weightPartsOf } from "./weight_parts.ts";

/** Add a layer normalisation's step. */
export function lowerLayerNormalization(
  planner: Planner,
  node: Node,
  { axes = [-1], epsilon = 1e-5 }: AttributesOf<"layerNormalization">,
): void {
  const operand = planner.operand(node.inputs[0]);
  const x = operand.kind === "expression" ? operand : planner.contiguous(node.inputs[0]);
  const [scale, bias] = node.inputs.slice(1).map((value) => planner.contiguous(value));
  const from = x.shape.length - axes.length;
  const lines = { x, length: lineLength(x.shape.slice(from)), lines: elementCount(x.shape.slice(0, from)) };
  const done = planner.normalizedResults.get(node);
  if (done) {
    const own = { scale, bias, target: planner.view(node.outputs[0]) };
    const dispatch = layerNormalizationKernel(lines, own, { epsilon }, planner.profile);
    return void planner.steps.push([{ when: done }, { dispatch }]);
  }
  const target = planner.target(node.outputs[0]);
  const dispatch = layerNormalizationKernel(lines, { scale, bias, target }, { epsilon }, planner.profile);
  const byProduct = !("operands" in x) && axes.length === 1 && isTakenByProduct(planner, node, [x, scale, bias]);
  if (!byProduct) return planner.addDispatch(dispatch);
  planner.normalized.set(node.outputs[0], { prologue: { scale, bias, epsilon }, x, stride: x.shape.at(-1)! });
  planner.steps.push([{ when: hasFewRows(lines.lines) }, { dispatch }]);
}

/** Whether the product that alone reads a normalised value can normalise it itself, where it has few rows. */
function isTakenByProduct(planner: Planner, node: Node, operands: readonly View[]): boolean {
  const product = planner.profile.gpu && planner.fusion.onlyProductOf(node);
  const isWide = operands.every(({ shape, offset }) => isMultiple(shape.at(-1)!, 4) && isMultiple(offset, 4));
  return product !== undefined && isWide && weightPartsOf(planner, product).length > 0;
}
