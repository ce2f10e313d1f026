// Operators that move data and compute nothing.
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  formatShape,
  multiplyDimensions,
  OperandError,
  type Operator,
  type Shape,
  type Value,
} from "../graph/mod.ts";
import { broadcastShapes, normalizeAxis, positionsLeft, sameShape, sameType } from "./shape_inference.ts";

const reshapeOperator: Operator<{ shape: Shape }> = {
  name: "reshape",
  operands: ["x"],
  infer: ([x], { shape }) => {
    const size = multiplyDimensions(...x.shape);
    const free = shape.indexOf(-1);
    const known = multiplyDimensions(...shape.filter((_, i) => i !== free));
    const rest = free < 0 ? undefined : divideDimensions(size, known);
    if (free < 0 ? known !== size : rest === undefined || shape.includes(-1, free + 1)) {
      throw new OperandError(`it has ${size} elements, which do not fill ${formatShape(shape)}`);
    }
    return [{ dataType: x.dataType, shape: shape.map((dimension, i) => i === free ? rest! : dimension) }];
  },
};

const transposeOperator: Operator<{ permutation: readonly number[] }> = {
  name: "transpose",
  operands: ["x"],
  infer: ([x], { permutation }) => {
    if ([...permutation].sort((a, b) => a - b).join() !== x.shape.map((_, i) => i).join()) {
      throw new OperandError(`[${permutation}] is no permutation of its ${x.shape.length} axes`);
    }
    return [{ dataType: x.dataType, shape: permutation.map((axis) => x.shape[axis]) }];
  },
};

const expandOperator: Operator<{ shape: Shape }> = {
  name: "expand",
  operands: ["x"],
  infer: ([x], { shape }) => {
    if (!sameShape(broadcastShapes(x.shape, shape), shape)) {
      throw new OperandError(`it does not broadcast to ${formatShape(shape)}`);
    }
    return [{ dataType: x.dataType, shape }];
  },
};

const concatOperator: Operator<{ axis: number }> = {
  name: "concat",
  operands: ["...values"],
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    const at = normalizeAxis(axis, first.shape.length);
    for (const { shape } of inputs) {
      if (shape.length !== first.shape.length || shape.some((d, i) => i !== at && d !== first.shape[i])) {
        throw new OperandError(`the operands may differ only along axis ${at}`);
      }
    }
    const total = inputs.reduce<Dimension>((sum, { shape }) => addDimensions(sum, shape[at]), 0);
    return [{ dataType: sameType(inputs), shape: first.shape.map((d, i) => i === at ? total : d) }];
  },
};

const sliceOperator: Operator<{ starts: Shape; sizes: Shape }> = {
  name: "slice",
  operands: ["x"],
  infer: ([x], { starts, sizes }) => {
    if (starts.length !== x.shape.length || sizes.length !== x.shape.length) {
      throw new OperandError(`starts and sizes must have an entry for each of its ${x.shape.length} axes`);
    }
    x.shape.forEach((length, i) => {
      const end = addDimensions(starts[i], sizes[i]);
      const outside = typeof length === "number" && typeof end === "number" && end > length;
      if (outside || (typeof starts[i] === "number" && starts[i] < 0)) {
        throw new OperandError(`[${starts[i]}, ${end}) is outside axis ${i}, which has ${length}`);
      }
    });
    return [{ dataType: x.dataType, shape: sizes }];
  },
  bounds: (
    [x],
    { starts, sizes },
  ) => [...starts, ...starts.map((start, i) => positionsLeft(x.shape[i], start, sizes[i]))],
};

const padOperator: Operator<{ beginning: Shape; ending: Shape; value?: number }> = {
  name: "pad",
  operands: ["x"],
  infer: ([x], { beginning, ending }) => {
    if (beginning.length !== x.shape.length || ending.length !== x.shape.length) {
      throw new OperandError(`beginning and ending must have an entry for each of its ${x.shape.length} axes`);
    }
    if ([...beginning, ...ending].some((n) => typeof n === "number" && n < 0)) {
      throw new OperandError("it cannot be padded by less than 0");
    }
    return [{
      dataType: x.dataType,
      shape: x.shape.map((length, i) => addDimensions(length, addDimensions(beginning[i], ending[i]))),
    }];
  },
  bounds: (_, { beginning, ending }) => [...beginning, ...ending],
};

/** The primitives that move data. */
export const movement = {
  reshape: reshapeOperator,
  transpose: transposeOperator,
  expand: expandOperator,
  concat: concatOperator,
  slice: sliceOperator,
  pad: padOperator,
};

/** The same elements, row-major, in another shape; one axis may be -1 and takes the rest. */
export function reshape(x: Value, attributes: { shape: Shape }): Value {
  return x.builder.add(movement.reshape, [x], attributes)[0];
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Value, attributes: { permutation: readonly number[] }): Value {
  return x.builder.add(movement.transpose, [x], attributes)[0];
}

/** Broadcast to a shape. */
export function expand(x: Value, attributes: { shape: Shape }): Value {
  return x.builder.add(movement.expand, [x], attributes)[0];
}

/** Join values along an axis. */
export function concat(values: readonly Value[], attributes: { axis: number }): Value {
  return values[0].builder.add(movement.concat, values, attributes)[0];
}

/** The block of `sizes` that begins at `starts`; both may be named. */
export function slice(x: Value, attributes: { starts: Shape; sizes: Shape }): Value {
  return x.builder.add(movement.slice, [x], attributes)[0];
}

/** Put `value` (default 0) around x: `beginning[i]` before and `ending[i]` after axis i. */
export function pad(x: Value, attributes: { beginning: Shape; ending: Shape; value?: number }): Value {
  return x.builder.add(movement.pad, [x], attributes)[0];
}
