// The lowering of sums and maxima over axes: one kernel where there is little to reduce, else one for chunks and one for their
// results; and parts of what is larger than a binding, whose results are reduced once more.
import type { Dimension } from "../../../src/graph/mod.ts";
import { lineLanes, reduceLinesKernel } from "../kernels/line_reduction.ts";
import { type Combination, reduceChunksKernel, reduceKernel, reductionChunk } from "../kernels/reduction.ts";
import { elementCount } from "../kernels/shader.ts";
import type { Planner } from "./planner.ts";
import { mergeAxes, rowMajor, sliceView, type View } from "./view.ts";

/** What is reduced, and the axes that go. */
interface Reduction {
  readonly x: View;
  readonly gone: ReadonlySet<number>;
}

/** The most elements of a line that a workgroup reduces. */
const lineChunk = 16_384;

interface Options {
  readonly combination: Combination;
  /** What the result is divided by. */
  readonly scale?: Dimension;
}

/** Add a reduction's steps. @param target Contiguous. */
export function lowerReduction(planner: Planner, reduction: Reduction, target: View, options: Options): void {
  const parts = planner.windows.cut([reduction.x]).map(([part]) => part);
  if (parts.length > 1) lowerParts(planner, reduction, parts, target, options);
  else lowerWhole(planner, { ...reduction, x: parts[0] }, target, options);
}

/** Reduce parts along an axis: results of an axis that stays lie one after another, others are reduced again. */
function lowerParts(
  planner: Planner,
  { x, gone }: Reduction,
  parts: readonly View[],
  target: View,
  { combination, scale }: Options,
): void {
  const axis = x.shape.findIndex((length, i) => length !== parts[0].shape[i]);
  const kept = (view: View) => view.shape.filter((_, i) => !gone.has(i));
  const stays = !gone.has(axis);
  const all = stays ? target : planner.temporary(target.dataType, [parts.length, ...kept(x)]);
  const along = stays ? x.shape.slice(0, axis).filter((_, i) => !gone.has(i)).length : 0;
  const shaped = stays ? { ...all, shape: kept(x), strides: rowMajor(kept(x)) } : all;
  let start = 0;
  for (const part of parts) {
    const own = planner.temporary(target.dataType, kept(part));
    lowerWhole(planner, { x: part, gone }, own, { combination, scale: stays ? scale : undefined });
    const shape = stays ? kept(part) : [1, ...kept(part)];
    const to = sliceView(shaped, shape.map((_, i) => i === along ? start : 0), shape);
    planner.copy({ ...own, shape, strides: rowMajor(shape) }, to);
    start += Number(shape[along]);
  }
  if (!stays) lowerReduction(planner, { x: all, gone: new Set([0]) }, target, { combination, scale });
}

function lowerWhole(planner: Planner, { x, gone }: Reduction, target: View, { combination, scale }: Options): void {
  const part = (goes: boolean) => {
    const chosen = x.shape.map((_, i) => i).filter((i) => gone.has(i) === goes);
    return { shape: chosen.map((i) => x.shape[i]), strides: chosen.map((i) => x.strides[i]) };
  };
  const [kept, rest] = [part(false), part(true)];
  const merged = mergeAxes(rest.shape, [rest.strides]);
  const reduced = { shape: merged.shape, strides: merged.strides[0] };
  const length = elementCount(reduced.shape);
  const own = { x, kept, reduced };
  const lanes = lineLanes(own, planner.profile);
  if (lanes !== undefined && typeof length === "number" && length <= lineChunk) {
    planner.addDispatch(reduceLinesKernel(own, target, { combination, scale, lanes }, planner.profile));
    return;
  }
  if (typeof length === "number" && length <= reductionChunk) {
    planner.addDispatch(reduceKernel(own, target, { combination, chunks: false, scale }, planner.profile));
    return;
  }
  const chunk = lanes === undefined ? reductionChunk : lineChunk;
  // The chunks' results, then one more reduction of those. Their count is no polynomial of sizes.
  const partial: View = {
    ...target,
    offset: 0,
    storage: {
      kind: "temporary",
      elements: (resolve) => resolve(elementCount(kept.shape)) * Math.ceil(resolve(length) / chunk),
    },
  };
  planner.addDispatch(
    lanes === undefined
      ? reduceKernel(own, partial, { combination, chunks: true }, planner.profile)
      : reduceLinesKernel(own, partial, { combination, chunk, lanes }, planner.profile),
  );
  planner.addDispatch(reduceChunksKernel(partial, target, { length, chunk, combination, scale }, planner.profile));
}
