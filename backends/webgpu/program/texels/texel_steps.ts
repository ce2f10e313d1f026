// The steps of products on devices that read texels: which kernel, and whether its operands are copied to texels first.
import type { Dimension } from "../../../../src/graph/mod.ts";
import type { TexelMatvecShape } from "../../device/profile.ts";
import type { Epilogue } from "../../kernels/epilogue.ts";
import type { PanelProduct } from "../../kernels/panel_matmul.ts";
import type { ResultNormalization } from "../../kernels/texels/normalized_tile.ts";
import { texelMatmulKernel, texelPanelKernel } from "../../kernels/texels/texel_matmul.ts";
import type { Planner } from "../planner.ts";
import type { Step, Variant } from "../step.ts";
import type { Condition } from "./texel_copies.ts";
import { isMultiple, type View } from "../view.ts";

/** The rows up to which a product reads its left operand from the buffer that it is in. */
const fewRows = 4;

/** The multiplications of a matrix from which on copies of its operands as texels are worth it. */
const leastWork = 4096;

/** The most numbers of K that a kernel of texels takes, whose loop must stay short. */
const mostDepth = 200_000;

/** The rows up to which a product normalises its results, where it can. */
const fewestRows = 2;

/** Whether products of few rows normalise their results. */
export function areNormalized(rows: Dimension): Condition {
  return (resolve) => resolve(rows) <= fewestRows;
}

/**
 * The kernels of a product with panels that are held as texels, one of which is chosen by the number of rows.
 *
 * @param normalization What is done to results of rows that {@linkcode areNormalized}.
 */
export function texelPanelStep(planner: Planner, product: PanelProduct, normalization?: ResultNormalization): Step {
  const { x, rows, stride, inputs, from, to } = product;
  const { matvec, matmul } = planner.profile.texels!;
  const fits = ({ leastOutputs = 0, leastInputs = 0 }: TexelMatvecShape) =>
    to - from >= leastOutputs && inputs >= leastInputs;
  const { vectors } = matvec.find(fits)!;
  const known = typeof rows === "number" ? rows : undefined;
  const few = [1, 2, fewRows].filter((tile, i, all) => known === undefined || known <= tile && !(known <= all[i - 1]))
    .map((tile): Variant => ({
      when: (resolve) => resolve(rows) <= tile,
      dispatch: normalization && tile <= fewestRows
        ? texelPanelKernel(product, { rows: tile, vectors: product.outputs / 32, depth: 8 }, { normalization })
        : texelPanelKernel(product, { rows: tile, vectors, depth: 8 }),
    }));
  if (known !== undefined && known <= fewRows) return few;
  const isMany: Condition = (resolve) => resolve(rows) > fewRows;
  const reads = [x.offset, stride, inputs].every((step) => isMultiple(step, 4));
  const texels = reads ? planner.texels.of({ ...x, shape: [rows, inputs], strides: [stride, 1] }, isMany) : undefined;
  return [...few, { dispatch: texelPanelKernel(product, matmul, { texels }) }];
}

/**
 * The kernel of a product of any two views, for a step: where it is worth copies of its operands, or where one is larger than
 * a binding; undefined where they cannot be read as texels.
 */
export function texelVariant(
  planner: Planner,
  a: View,
  b: View,
  target: View,
  epilogue: Epilogue,
): Variant | undefined {
  const isNeeded = [a, b].some((view) => planner.windows.isLarge(view)) || target.storage.kind === "window";
  const rows = target.shape.at(-2)!;
  if (!isNeeded && typeof rows === "number" && rows <= fewRows) return undefined;
  const when = isNeeded ? () => true : largeProduct([...target.shape.slice(-2), a.shape.at(-1)!]);
  const left = planner.texels.operand(a, when);
  const right = left && planner.texels.operand(b, when);
  const { matmul } = planner.profile.texels!;
  return right && { when, dispatch: texelMatmulKernel(left, right, target, epilogue, matmul) };
}

/** Whether a product of matrices is worth copies of its operands. */
function largeProduct(sizes: readonly Dimension[]): Condition {
  return (resolve) => {
    const [M, N, K] = sizes.map(resolve);
    return M > fewRows && M * N * K >= leastWork && K <= mostDepth;
  };
}
