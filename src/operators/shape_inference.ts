// What the operators' inference of shapes shares: broadcasting, axes, and checks of data types.
import { addDimensions, type Dimension, formatShape, OperandError, type Shape, type TensorType } from "../graph/mod.ts";
import { type DataType, isFloat } from "../tensor/mod.ts";

/** The attributes of an operator that has none. */
export type NoAttributes = Record<never, never>;

/** A non-negative axis. @throws {OperandError} If the axis does not exist. */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new OperandError(`the axis ${axis} does not exist: the rank is ${rank}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** The shape two shapes broadcast to, NumPy's way. @throws {OperandError} If they do not. */
export function broadcastShapes(a: Shape, b: Shape): Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new OperandError(`${formatShape(a)} and ${formatShape(b)} do not broadcast: ${x} against ${y}`);
  });
}

/** Check that operands have one floating-point type, and return it. */
export function floatType(inputs: readonly TensorType[]): DataType {
  const dataType = sameType(inputs);
  if (!isFloat(dataType)) throw new OperandError(`it takes floating-point numbers, not ${dataType}`);
  return dataType;
}

/** Check that operands have one data type, and return it. */
export function sameType(inputs: readonly TensorType[]): DataType {
  const { dataType } = inputs[0];
  if (inputs.some((input) => input.dataType !== dataType)) {
    throw new OperandError(`the operands must have one data type, not ${inputs.map((i) => i.dataType).join(" and ")}`);
  }
  return dataType;
}

/** Check that an operand holds indices. */
export function checkIndices(input: TensorType): void {
  if (input.dataType !== "int64" && input.dataType !== "int32") {
    throw new OperandError(`indices must be int64 or int32, not ${input.dataType}`);
  }
}

/** Check that an operand holds a whole number for each row. */
export function checkRowNumbers({ dataType, shape }: TensorType, rows: Dimension, name: string): void {
  if (dataType !== "int64" && dataType !== "int32") {
    throw new OperandError(`${name} must be int64 or int32, not ${dataType}`);
  }
  if (!sameShape(shape, [rows])) throw new OperandError(`${name} must have the shape ${formatShape([rows])}`);
}

/** How many positions of an axis are left after the `size` positions from `start` on. */
export function positionsLeft(length: Dimension, start: Dimension, size: Dimension): Dimension {
  return addDimensions(length, addDimensions(start, size), -1);
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}
