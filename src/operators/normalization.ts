// Mean, layer normalisation and softmax.
import { multiplyDimensions, OperandError, type Operator, type Value } from "../graph/mod.ts";
import { add, cast, div, exp, log, mul, sqrt, sub } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { range, reducedShape, reduceMax, reduceSum, type ReductionAttributes } from "./reduction.ts";
import { floatType, normalizeAxis, sameShape } from "./shape_inference.ts";

const reduceMeanOperator: Operator<ReductionAttributes> = {
  name: "reduceMean",
  operands: ["x"],
  infer: ([x], attributes) => [{ dataType: floatType([x]), shape: reducedShape(x, attributes) }],
  decompose: ([x], attributes) => {
    const count = multiplyDimensions(...attributes.axes.map((axis) => x.shape[normalizeAxis(axis, x.rank)]));
    const divisor = typeof count === "number"
      ? x.builder.scalar(count, x.dataType)
      : cast(reshape(range(x.builder, { size: 1, start: count }), { shape: [] }), { dataType: x.dataType });
    return [div(reduceSum(x, attributes), divisor)];
  },
};

/** The attributes of `layerNormalization`. */
export interface LayerNormalizationAttributes {
  /** The axes to normalise over: the last ones. @default [-1] */
  readonly axes?: readonly number[];
  /** Added to the variance. @default 1e-5 */
  readonly epsilon?: number;
}

const layerNormalizationOperator: Operator<LayerNormalizationAttributes> = {
  name: "layerNormalization",
  operands: ["x", "scale", "bias"],
  infer: ([x, scale, bias], { axes = [-1] }) => {
    const from = x.shape.length - axes.length;
    if (axes.map((axis) => normalizeAxis(axis, x.shape.length)).sort().some((axis, i) => axis !== from + i)) {
      throw new OperandError(`it normalises over the last axes, not [${axes}]`);
    }
    if (!sameShape(scale.shape, x.shape.slice(from)) || !sameShape(bias.shape, scale.shape)) {
      throw new OperandError(`scale and bias must have the shape of x's last ${axes.length} axes`);
    }
    return [{ dataType: floatType([x, scale, bias]), shape: x.shape }];
  },
  decompose: ([x, scale, bias], { axes = [-1], epsilon = 1e-5 }) => {
    const over = { axes, keepDimensions: true };
    // The mean is subtracted twice, since the first mean is rounded, which matters where it is large beside the deviations.
    const about = sub(x, reduceMean(x, over));
    const centred = sub(about, reduceMean(about, over));
    const variance = reduceMean(mul(centred, centred), over);
    const normal = div(centred, sqrt(add(variance, x.builder.scalar(epsilon, x.dataType))));
    return [add(mul(normal, scale), bias)];
  },
};

function overAxis(name: string, decompose: (x: Value, axis: number) => Value): Operator<{ axis: number }> {
  return {
    name,
    operands: ["x"],
    infer: ([x], { axis }) => (normalizeAxis(axis, x.shape.length), [{ dataType: floatType([x]), shape: x.shape }]),
    decompose: ([x], { axis }) => [decompose(x, axis)],
  };
}

const softmaxOperator = overAxis("softmax", (x, axis) => {
  const over = { axes: [axis], keepDimensions: true };
  const powers = exp(sub(x, reduceMax(x, over)));
  return div(powers, reduceSum(powers, over));
});

const logSoftmaxOperator = overAxis("logSoftmax", (x, axis) => {
  const over = { axes: [axis], keepDimensions: true };
  const shifted = sub(x, reduceMax(x, over));
  return sub(shifted, log(reduceSum(exp(shifted), over)));
});

/** The composites that normalise. */
export const normalizations = {
  reduceMean: reduceMeanOperator,
  layerNormalization: layerNormalizationOperator,
  softmax: softmaxOperator,
  logSoftmax: logSoftmaxOperator,
};

/** The mean over axes. */
export function reduceMean(x: Value, attributes: ReductionAttributes): Value {
  return x.builder.add(normalizations.reduceMean, [x], attributes)[0];
}

/** Layer normalisation (Ba et al. 2016): (x − mean) / √(variance + epsilon) · scale + bias, over the last axes. */
export function layerNormalization(
  x: Value,
  options: LayerNormalizationAttributes & { scale: Value; bias: Value },
): Value {
  const { scale, bias, ...attributes } = options;
  return x.builder.add(normalizations.layerNormalization, [x, scale, bias], attributes)[0];
}

/** e^x over its sum along an axis. */
export function softmax(x: Value, attributes: { axis: number }): Value {
  return x.builder.add(normalizations.softmax, [x], attributes)[0];
}

/** The logarithm of softmax, without its underflow. */
export function logSoftmax(x: Value, attributes: { axis: number }): Value {
  return x.builder.add(normalizations.logSoftmax, [x], attributes)[0];
}
