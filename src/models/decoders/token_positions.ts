// The positions of tokens: counted from the beginning, or counted without pads.
import { addDimensions, type Dimension, Value } from "../../graph/mod.ts";
import { add, cast, cumulativeSum, equal, gather, mul, range, reshape, sub } from "../../operators/mod.ts";
import type { DecoderInputs } from "../family.ts";

/**
 * The rows of a position table for the tokens of a run, counted from the beginning.
 *
 * @param offset The row of the first position.
 * @returns Shape [1, T, C], or [rows, T, C] where rows have positions of their own.
 */
export function countedPositions(table: Value, { ids, past }: DecoderInputs, offset: Dimension = 0): Value {
  const { builder } = table;
  const [rows, T] = ids.shape;
  if (past instanceof Value) {
    const places = add(reshape(past, { shape: [rows, 1] }), range(builder, { size: T, start: offset }));
    return gather(table, places, { axis: 0 });
  }
  const places = range(builder, { size: T, start: addDimensions(past, offset) });
  return reshape(gather(table, places, { axis: 0 }), { shape: [1, T, table.shape[1]] });
}

/**
 * The rows of a position table for the tokens of a run; pads are not counted and have the row of the pad's id:
 * (Σ seen + past) · seen + pad, as fairseq's make_positions.
 *
 * @returns Shape [rows, T, C].
 */
export function unpaddedPositions(table: Value, { ids, past }: DecoderInputs, padding: number): Value {
  const { builder } = table;
  const pad = builder.scalar(padding, "int64");
  const seen = sub(builder.scalar(1, "int64"), cast(equal(ids, pad), { dataType: "int64" }));
  const before = past instanceof Value
    ? reshape(past, { shape: [ids.shape[0], 1] })
    : reshape(range(builder, { size: 1, start: past }), { shape: [1, 1] });
  const counted = mul(add(cumulativeSum(seen, { axis: 1 }), before), seen);
  return gather(table, add(counted, pad), { axis: 0 });
}
