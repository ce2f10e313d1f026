// The kernels that reduce, select or count along axes.
import { resolveAttribute } from "../../src/graph/mod.ts";
import {
  type AttributesOf,
  normalizeAxis,
  type ReductionAttributes,
  type reductions,
} from "../../src/operators/mod.ts";
import { allocateOutput, type Kernel } from "./kernel.ts";
import { copyStrided, rowMajor } from "./strided_copy.ts";

type Name = keyof typeof reductions;

/** Bring the reduced axes to the end, so that each result comes from `length` contiguous elements, and reduce those. */
function reduce(f: (run: Float64Array) => number): Kernel<ReductionAttributes> {
  return ([x], { axes }, context) => {
    const y = allocateOutput(context);
    const reduced = new Set(axes.map((axis) => normalizeAxis(axis, x.shape.length)));
    const order = [...x.shape.keys()].sort((a, b) => Number(reduced.has(a)) - Number(reduced.has(b)) || a - b);
    const strides = rowMajor(x.shape);
    const shape = order.map((axis) => x.shape[axis]);
    const runs = new Float64Array(x.size);
    copyStrided(shape, x.data, { strides: order.map((axis) => strides[axis]) }, runs, { strides: rowMajor(shape) });
    const length = x.size / y.size;
    for (let i = 0; i < y.size; i++) y.data[i] = f(runs.subarray(i * length, (i + 1) * length)) as never;
    return [y];
  };
}

function sum(run: Float64Array): number {
  let total = 0;
  for (let i = 0; i < run.length; i++) total += run[i];
  return total;
}

/** The maximum; NaN where an element is NaN, as in PyTorch. */
function maximum(run: Float64Array): number {
  let largest = -Infinity;
  for (let i = 0; i < run.length; i++) if (run[i] > largest || Number.isNaN(run[i])) largest = run[i];
  return largest;
}

/** The index of the maximum; ties go to the lowest index. */
function firstMaximum(run: Float64Array): number {
  let at = 0;
  for (let i = 1; i < run.length; i++) if (run[i] > run[at]) at = i;
  return at;
}

/** The kernels by name. */
export const reductionKernels: { [K in Name]: Kernel<AttributesOf<K>> } = {
  reduceSum: reduce(sum),
  reduceMax: reduce(maximum),
  argMax: (inputs, { axis }, context) =>
    reduce((run) => BigInt(firstMaximum(run)) as never)(inputs, { axes: [axis] }, context),
  cumulativeSum: ([x], { axis, reversed }, context) => {
    const y = allocateOutput(context);
    const along = normalizeAxis(axis, x.shape.length);
    const stride = rowMajor(x.shape)[along];
    const length = x.shape[along];
    const step = reversed ? -stride : stride;
    for (let i = 0; i < x.size; i++) {
      if (Math.floor(i / stride) % length !== 0) continue;
      let at = reversed ? i + (length - 1) * stride : i;
      let total = x.data[at];
      y.data[at] = total as never;
      for (let n = 1; n < length; n++) {
        at += step;
        total = (total as number) + (x.data[at] as number);
        y.data[at] = total as never;
      }
    }
    return [y];
  },
  topK: ([x], { k }, context) => {
    const [values, indices] = [allocateOutput(context, 0), allocateOutput(context, 1)];
    const length = x.shape[x.shape.length - 1];
    for (let row = 0; row < x.size / length; row++) {
      const run = x.data.subarray(row * length, (row + 1) * length) as Float32Array;
      const order = Array.from(run.keys()).sort((a, b) => run[b] - run[a] || a - b);
      for (let i = 0; i < k; i++) {
        values.data[row * k + i] = run[order[i]] as never;
        indices.data[row * k + i] = BigInt(order[i]) as never;
      }
    }
    return [values, indices];
  },
  range: (_inputs, { start }, context) => {
    const y = allocateOutput(context);
    const from = resolveAttribute(start, context.sizes);
    const convert = y.dataType === "int64" ? BigInt : Number;
    for (let i = 0; i < y.size; i++) y.data[i] = convert(from + i) as never;
    return [y];
  },
};
