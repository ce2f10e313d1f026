// Copies of rows of a cache between host arrays, for the backends whose buffers lie in the host's memory.
import { sizeOf } from "./tensor.ts";
import type { TypedArray } from "./data_type.ts";

/**
 * Copy the first positions of rows; all rows are read before any is written.
 *
 * @param shape The arrays' shape; the number of rows, on axis 0, may differ between them.
 * @param copies.rows The rows that are copied, each with the row that it overwrites.
 * @param copies.axis The axis of the positions.
 * @param copies.length How many positions of each row are copied.
 */
export function copyRows(
  shape: readonly number[],
  source: TypedArray,
  target: TypedArray,
  { rows, axis, length }: {
    readonly rows: readonly (readonly [from: number, to: number])[];
    readonly axis: number;
    readonly length: number;
  },
): void {
  const width = sizeOf(shape.slice(axis + 1));
  const heads = sizeOf(shape.slice(1, axis));
  const stride = shape[axis] * width;
  const place = (row: number, head: number) => (row * heads + head) * stride;
  const size = length * width;
  const moved = source === target ? rows.filter(([from, to]) => from !== to) : rows;
  const targets = new Set(moved.map(([, to]) => to));
  // Rows that would be overwritten before they are copied are copied to an array of their own first.
  const aside = source === target && moved.some(([from]) => targets.has(from))
    ? new Map(moved.map(([from]) => [from, source.slice(place(from, 0), place(from + 1, 0))]))
    : undefined;
  for (const [from, to] of moved) {
    const row = aside?.get(from) ?? source.subarray(place(from, 0), place(from + 1, 0));
    for (let head = 0; head < heads; head++) {
      target.set(row.subarray(head * stride, head * stride + size) as never, place(to, head));
    }
  }
}
