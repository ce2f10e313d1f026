// Positions that each row has of its own: rows that began at different times share a run, so that a position is a number
// for each row, [rows], instead of one size for all.
import type { Dimension, Value } from "../graph/mod.ts";
import { add, cast, mul } from "./elementwise.ts";
import { gather, scatter } from "./indexing.ts";
import { expand, reshape, transpose } from "./movement.ts";
import { range } from "./reduction.ts";

/**
 * The lengths of rows once `size` positions are appended to each.
 *
 * @param at Positions before those, [rows], int64 or int32.
 * @returns Shape [rows].
 */
export function lengthsAfter(at: Value, size: Dimension): Value {
  return add(at, range(at.builder, { size: 1, start: size, dataType: at.dataType }));
}

/** Whether `lengths` is what {@linkcode lengthsAfter} makes of `at` and `size`. */
export function areLengthsAfter(lengths: Value, at: Value, size: Dimension): boolean {
  const { operator, inputs: [first, added] } = lengths.node;
  if (operator.name !== "add" || first !== at || added.node.operator.name !== "range") return false;
  const { start } = added.node.attributes as { start?: Dimension };
  return added.shape[0] === 1 && start === size;
}

const moveAxis = (x: Value, from: number, to: number): Value => {
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  return transpose(x, { permutation: axes.toSpliced(to, 0, from) });
};

/** The indices of `size` positions of each row, from its `at` [rows] on, counted through all rows: [rows, size], int64. */
function placesInRows(x: Value, at: Value, size: Dimension): Value {
  const { builder, shape: [rows, positions] } = x;
  const column = (value: Value) => reshape(value, { shape: [rows, 1] });
  const first = mul(range(builder, { size: rows }), range(builder, { size: 1, start: positions }));
  return add(add(column(first), column(cast(at, { dataType: "int64" }))), range(builder, { size }));
}

/** A value [rows, positions, …] as [rows · positions, …]. */
const byPosition = (x: Value): Value => reshape(x, { shape: [-1, ...x.shape.slice(2)] });

/**
 * Positions of each row: `size` of them, from the row's own `at` on.
 *
 * @param x Shape [rows, …].
 * @param attributes.at Shape [rows], int64 or int32.
 * @returns The shape of x, with `size` positions.
 */
export function takeRowPositions(
  x: Value,
  { axis, at, size }: { readonly axis: number; readonly at: Value; readonly size: Dimension },
): Value {
  const moved = moveAxis(x, axis, 1);
  return moveAxis(gather(byPosition(moved), placesInRows(moved, at, size), { axis: 0 }), 1, axis);
}

/** x [rows, …] with zeros at positions of each row: `size` of them, from the row's own `at` [rows] on. */
export function clearRowPositions(
  x: Value,
  { axis, at, size }: { readonly axis: number; readonly at: Value; readonly size: Dimension },
): Value {
  const moved = moveAxis(x, axis, 1);
  const places = placesInRows(moved, at, size);
  const zeros = expand(x.builder.scalar(0, x.dataType), { shape: [...places.shape, ...moved.shape.slice(2)] });
  return moveAxis(reshape(scatter(byPosition(moved), places, zeros), { shape: moved.shape }), 1, axis);
}
