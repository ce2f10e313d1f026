// The positions of tokens: counted from the beginning, or counted without pads.
import { addDimensions, type Dimension, type Value } from "../../graph/mod.ts";
import { add, cast, cumulativeSum, equal, gather, mul, range, reshape, sub } from "../../operators/mod.ts";
import type { DecoderInputs } from "../family.ts";

/**
 * The rows of a position table for the tokens of a run, counted from the beginning.
 *
 * @param offset The row of the first position.
 * @returns Shape [1, T, C].
 */
export function countedPositions(table: Value, { ids, past }: DecoderInputs, offset: Dimension = 0): Value {
  const rows = range(table.builder, { size: ids.shape[1], start: addDimensions(past, offset) });
  return reshape(gather(table, rows, { axis: 0 }), { shape: [1, ids.shape[1], table.shape[1]] });
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
  const before = reshape(range(builder, { size: 1, start: past }), { shape: [1, 1] });
  const counted = mul(add(cumulativeSum(seen, { axis: 1 }), before), seen);
  return gather(table, add(counted, pad), { axis: 0 });
}
