// The steps of a product on a GPU: which of its kernels runs is chosen when the program is bound, by the number of rows.
import type { Dimension } from "../../../src/graph/mod.ts";
import { type MatrixProduct, matvecKernel, mostMatvecRows, type NormalizedRows } from "../kernels/matvec.ts";
import { combineKernel, tiledKernel, tilesOf } from "../kernels/tiled_matmul.ts";
import type { MatmulShape, MatvecShape, Profile } from "../device/profile.ts";
import type { Step, Variant } from "./step.ts";
import { type Resolve, wholeView } from "./view.ts";

/** The numbers of rows that there is a kernel for; a workgroup computes them all. */
const heights = [1, 4, mostMatvecRows];

/** Into how many parts the inputs of a product of few tiles are split. */
const splits = [8, 4, 2];

/** The fewest inputs of a part. */
const leastPart = 128;

/** Where there are no shapes for a GPU: 8 lanes, as a subgroup of a processor has. */
const softMatvec: MatvecShape = { lanes: 8, outputs: 1 };
const softMatmul: MatmulShape = { tile: [16, 32], registers: [8, 8], depth: 8 };

/** Whether a program is bound for few rows. */
export function hasFewRows(rows: Dimension): (resolve: Resolve) => boolean {
  return (resolve) => resolve(rows) <= mostMatvecRows;
}

/** The steps of a product. @param normalized Where few rows are normalised by the product's own kernel. */
export function matrixSteps(product: MatrixProduct, profile: Profile, normalized?: NormalizedRows): Step[] {
  const { rows } = product;
  const known = typeof rows === "number" ? rows : undefined;
  const few = known === undefined || known <= mostMatvecRows ? matvecs(product, profile, normalized) : [];
  if (known !== undefined && known <= mostMatvecRows) return [few];
  const { gpu } = profile;
  const shapes = gpu?.matmul.filter(({ leastColumns = 0 }) => product.to - product.from >= leastColumns) ??
    [softMatmul];
  const variants: Variant[] = [];
  const combinations: Variant[] = [{ when: hasFewRows(rows) }];
  for (const shape of shapes) {
    const { leastRows = 0 } = shape;
    const fits = (resolve: Resolve) => resolve(rows) >= leastRows;
    if (known !== undefined && known < leastRows) continue;
    const tiles = tilesOf(product, shape);
    for (const parts of gpu ? splits.filter((parts) => product.inputs / parts >= leastPart) : []) {
      const when = (resolve: Resolve) => fits(resolve) && tiles(resolve) * parts <= gpu!.groups;
      const partial = wholeView(
        { kind: "temporary", elements: (resolve) => parts * resolve(rows) * (product.to - product.from) },
        "float32",
        [parts, rows, product.to - product.from],
      );
      variants.push({ when, dispatch: tiledKernel(product, shape, { parts, partial }) });
      combinations.push({ when, dispatch: combineKernel(product, { parts, partial }, profile) });
    }
    variants.push({ when: fits, dispatch: tiledKernel(product, shape) });
    combinations.push({ when: fits });
  }
  const main = [...few, ...variants];
  return combinations.some(({ dispatch }) => dispatch) ? [main, combinations] : [main];
}

function matvecs(product: MatrixProduct, profile: Profile, normalized: NormalizedRows | undefined): Variant[] {
  const { rows, inputs, from, to } = product;
  const fits = ({ leastOutputs = 0, leastInputs = 0 }: MatvecShape) =>
    to - from >= leastOutputs && inputs >= leastInputs;
  const shape = profile.gpu?.matvec.find(fits) ?? softMatvec;
  const own = normalized ? { ...product, x: normalized.x, stride: normalized.stride } : product;
  const known = typeof rows === "number" ? heights.find((height) => rows <= height) : undefined;
  return heights.filter((height) => known === undefined || height === known).map((height) => ({
    when: (resolve) => resolve(rows) <= height,
    dispatch: matvecKernel(own, { rows: height, shape, prologue: normalized?.prologue }, profile),
  }));
}

/** The shape of a product of two views: the first that its columns and rows may fit, or the last. */
export function shapesOfViews(rows: Dimension, columns: Dimension, shapes: readonly MatmulShape[]): MatmulShape[] {
  const fits = (length: Dimension, least = 0) => typeof length !== "number" || length >= least;
  return shapes.filter(({ leastRows, leastColumns }) => fits(rows, leastRows) && fits(columns, leastColumns));
}
