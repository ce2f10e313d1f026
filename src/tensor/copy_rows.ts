// Rows of a cache copied between host arrays: what backends do whose buffers lie in the host's memory.
import { sizeOf } from "./tensor.ts";
import type { TypedArray } from "./data_type.ts";

/**
 * Copy the first positions of rows, all as they were before the first copy.
 *
 * @param shape The arrays' shape: [rows, positions, …], or [rows, heads, positions, …] with four axes or more.
 * @param rows From which row to which.
 * @param positions How many of each row's positions.
 */
export function copyRows(
  shape: readonly number[],
  source: TypedArray,
  target: TypedArray,
  rows: readonly (readonly [from: number, to: number])[],
  positions: number,
): void {
  const [, ...rest] = shape;
  const axis = rest.length >= 3 ? 1 : 0;
  const width = sizeOf(rest.slice(axis + 1));
  const heads = sizeOf(rest.slice(0, axis));
  const stride = rest[axis] * width;
  const copies = rows.map(([row]) =>
    Array.from({ length: heads }, (_, head) => {
      const at = (row * heads + head) * stride;
      return source.slice(at, at + positions * width);
    })
  );
  rows.forEach(([, row], i) =>
    copies[i].forEach((copy, head) => target.set(copy as never, (row * heads + head) * stride))
  );
}
