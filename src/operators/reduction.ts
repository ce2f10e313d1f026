// Sums, maxima, running sums and top-k along axes, and ranges of numbers.
import {
  type Builder,
  type Dimension,
  OperandError,
  type Operator,
  type TensorType,
  type Value,
} from "../graph/mod.ts";
import type { DataType } from "../tensor/mod.ts";
import { floatType, normalizeAxis } from "./shape_inference.ts";

/** The attributes of a reduction. */
export interface ReductionAttributes {
  /** The axes to reduce; negative ones count from the end. */
  readonly axes: readonly number[];
  /** Whether reduced axes stay, with length 1. @default false */
  readonly keepDimensions?: boolean;
}

/** The shape that a reduction leaves. */
export function reducedShape(x: TensorType, { axes, keepDimensions }: ReductionAttributes): Dimension[] {
  const reduced = new Set(axes.map((axis) => normalizeAxis(axis, x.shape.length)));
  return keepDimensions ? x.shape.map((d, i) => reduced.has(i) ? 1 : d) : x.shape.filter((_, i) => !reduced.has(i));
}

function reduction(name: string): Operator<ReductionAttributes> {
  return {
    name,
    operands: ["x"],
    infer: ([x], attributes) => [{ dataType: floatType([x]), shape: reducedShape(x, attributes) }],
  };
}

const cumulativeSumOperator: Operator<{ axis: number; reversed?: boolean }> = {
  name: "cumulativeSum",
  operands: ["x"],
  infer: ([x], { axis }) => {
    normalizeAxis(axis, x.shape.length);
    return [{ dataType: x.dataType, shape: x.shape }];
  },
};

const argMaxOperator: Operator<{ axis: number; keepDimensions?: boolean }> = {
  name: "argMax",
  operands: ["x"],
  infer: ([x], { axis, keepDimensions }) => {
    floatType([x]);
    return [{ dataType: "int64", shape: reducedShape(x, { axes: [axis], keepDimensions }) }];
  },
};

const topKOperator: Operator<{ k: number; axis: number }> = {
  name: "topK",
  operands: ["x"],
  infer: ([x], { k, axis }) => {
    if (normalizeAxis(axis, x.shape.length) !== x.shape.length - 1) {
      throw new OperandError("only the last axis can be selected from");
    }
    const length = x.shape[x.shape.length - 1];
    if (!Number.isInteger(k) || k < 1 || (typeof length === "number" && k > length)) {
      throw new OperandError(`k must be a whole number from 1 to ${length}, not ${k}`);
    }
    const shape = [...x.shape.slice(0, -1), k];
    return [{ dataType: floatType([x]), shape }, { dataType: "int64", shape }];
  },
};

const rangeOperator: Operator<{ size: Dimension; start?: Dimension; dataType?: DataType }> = {
  name: "range",
  operands: [],
  infer: (_, { size, dataType = "int64" }) => [{ dataType, shape: [size] }],
};

/** The primitives that reduce, select or count. */
export const reductions = {
  reduceSum: reduction("reduceSum"),
  reduceMax: reduction("reduceMax"),
  cumulativeSum: cumulativeSumOperator,
  argMax: argMaxOperator,
  topK: topKOperator,
  range: rangeOperator,
};

/** The sum over axes. */
export function reduceSum(x: Value, attributes: ReductionAttributes): Value {
  return x.builder.add(reductions.reduceSum, [x], attributes)[0];
}

/** The maximum over axes. */
export function reduceMax(x: Value, attributes: ReductionAttributes): Value {
  return x.builder.add(reductions.reduceMax, [x], attributes)[0];
}

/** Running sums along an axis, each element included; `reversed` sums from the end. */
export function cumulativeSum(x: Value, attributes: { axis: number; reversed?: boolean }): Value {
  return x.builder.add(reductions.cumulativeSum, [x], attributes)[0];
}

/** The index of the maximum along an axis, int64; ties go to the lowest index. */
export function argMax(x: Value, attributes: { axis: number; keepDimensions?: boolean }): Value {
  return x.builder.add(reductions.argMax, [x], attributes)[0];
}

/** The k largest values along the last axis, largest first, and their indices (int64); ties go to the lowest index. */
export function topK(x: Value, attributes: { k: number; axis: number }): [values: Value, indices: Value] {
  const [values, indices] = x.builder.add(reductions.topK, [x], attributes);
  return [values, indices];
}

/** The numbers start, start + 1, … (`size` of them), [size]; with size 1 it turns a named size into a value. */
export function range(
  builder: Builder,
  attributes: { size: Dimension; start?: Dimension; dataType?: DataType },
): Value {
  return builder.add(reductions.range, [], attributes)[0];
}
