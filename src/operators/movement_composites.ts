// The composites that move data: split, roll, triangular.
import { type Dimension, OperandError, type Operator, type Value } from "../graph/mod.ts";
import { greaterOrEqual, where } from "./elementwise.ts";
import { concat, reshape, slice } from "./movement.ts";
import { range } from "./reduction.ts";
import { normalizeAxis } from "./shape_inference.ts";

/** The part of x from `start` to `start + size` of one axis. */
function part(x: Value, axis: number, start: Dimension, size: Dimension): Value {
  return slice(x, {
    starts: x.shape.map((_, i) => i === axis ? start : 0),
    sizes: x.shape.map((d, i) => i === axis ? size : d),
  });
}

const splitOperator: Operator<{ splits: readonly number[]; axis: number }> = {
  name: "split",
  operands: ["x"],
  infer: ([x], { splits, axis }) => {
    const at = normalizeAxis(axis, x.shape.length);
    const total = splits.reduce((a, b) => a + b, 0);
    if (x.shape[at] !== total) throw new OperandError(`the parts [${splits}] make ${total}, not ${x.shape[at]}`);
    return splits.map((size) => ({ dataType: x.dataType, shape: x.shape.map((d, i) => i === at ? size : d) }));
  },
  decompose: ([x], { splits, axis }) => {
    const at = normalizeAxis(axis, x.rank);
    let start = 0;
    return splits.map((size) => part(x, at, (start += size) - size, size));
  },
};

const rollOperator: Operator<{ shifts: readonly number[]; axes: readonly number[] }> = {
  name: "roll",
  operands: ["x"],
  infer: ([x], { shifts, axes }) => {
    if (shifts.length !== axes.length) throw new OperandError("each axis needs a shift");
    for (const axis of axes) {
      if (typeof x.shape[normalizeAxis(axis, x.shape.length)] !== "number") {
        throw new OperandError(`axis ${axis} has a name: only axes of known length can be rolled`);
      }
    }
    return [{ dataType: x.dataType, shape: x.shape }];
  },
  decompose: ([x], { shifts, axes }) => [
    axes.reduce((rolled, axis, i) => {
      const at = normalizeAxis(axis, x.rank);
      const length = x.shape[at] as number;
      const shift = ((shifts[i] % length) + length) % length;
      if (shift === 0) return rolled;
      return concat([part(rolled, at, length - shift, shift), part(rolled, at, 0, length - shift)], { axis: at });
    }, x),
  ],
};

const triangularOperator: Operator<{ upper?: boolean; diagonal?: number }> = {
  name: "triangular",
  operands: ["x"],
  infer: ([x]) => {
    if (x.shape.length < 2) throw new OperandError("it needs two axes");
    return [{ dataType: x.dataType, shape: x.shape }];
  },
  // Kept below: row + diagonal ≥ column; above: column ≥ row + diagonal.
  decompose: ([x], { upper = true, diagonal = 0 }) => {
    const [height, width] = x.shape.slice(-2);
    const rows = reshape(range(x.builder, { size: height, start: diagonal }), { shape: [height, 1] });
    const columns = range(x.builder, { size: width });
    const kept = upper ? greaterOrEqual(columns, rows) : greaterOrEqual(rows, columns);
    return [where(kept, x, x.builder.scalar(0, x.dataType))];
  },
};

/** The composites that move data, by name. */
export const movementComposites = { split: splitOperator, roll: rollOperator, triangular: triangularOperator };

/** Cut along an axis into parts of the given lengths. */
export function split(x: Value, attributes: { splits: readonly number[]; axis: number }): readonly Value[] {
  return x.builder.add(movementComposites.split, [x], attributes);
}

/** Shift along axes; what leaves at one end enters at the other. */
export function roll(x: Value, attributes: { shifts: readonly number[]; axes: readonly number[] }): Value {
  return x.builder.add(movementComposites.roll, [x], attributes)[0];
}

/** Keep the upper (default) or lower triangle of the last two axes, zero the rest. */
export function triangular(x: Value, attributes: { upper?: boolean; diagonal?: number } = {}): Value {
  return x.builder.add(movementComposites.triangular, [x], attributes)[0];
}
