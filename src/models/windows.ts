// The windows of a shifted layer (Liu et al. 2021): only those of the last row and column hold tokens that were not
// neighbours before the shift. They alone need masks, which for a page at Donut's resolution is 1 window in 30.
import type { Dimension, Value } from "../graph/mod.ts";
import { concat, reshape, slice } from "../operators/mod.ts";
import { Tensor } from "../tensor/mod.ts";

/** The rows and columns of a grid of tokens, or of windows. */
export type Grid = readonly [rows: number, columns: number];

/** Added where a token of a shifted window may not see another; the reference's value. */
const apart = -100;

/**
 * What is added in the windows of the last row, and then in those of the last column: tokens that were not neighbours
 * before the shift do not see one another.
 *
 * @param windows The rows and columns of windows.
 * @param window The rows, and columns, of tokens in a window.
 * @returns Shape [edge windows, 1, w², w²].
 */
export function edgeMask([down, across]: Grid, window: number, shift: number): Tensor {
  const region = (at: number, length: number) => Number(at >= length - window) + Number(at >= length - shift);
  const area = window * window;
  const edges: Grid[] = [
    ...Array.from({ length: across }, (_, column) => [down - 1, column] as const),
    ...Array.from({ length: down - 1 }, (_, row) => [row, across - 1] as const),
  ];
  const data = new Float32Array(edges.length * area * area);
  edges.forEach(([row, column], w) => {
    const regions = Array.from(
      { length: area },
      (_, i) =>
        region(row * window + Math.floor(i / window), down * window) * 3 +
        region(column * window + i % window, across * window),
    );
    for (let a = 0; a < area; a++) {
      for (let b = 0; b < area; b++) data[(w * area + a) * area + b] = regions[a] === regions[b] ? 0 : apart;
    }
  });
  return new Tensor("float32", [edges.length, 1, area, area], data);
}

/**
 * Attend within the windows of a shifted layer: in the last row and column with their masks, in the others without.
 *
 * @param windows Shape [batch, down · across, w², C], row by row; at least two of each.
 * @param mask `edgeMask`'s.
 * @param attend The attention within windows, [batch, n, w², C] to the same.
 * @returns The shape of `windows`.
 */
export function attendEdgesApart(
  windows: Value,
  [down, across]: Grid,
  mask: Value,
  attend: (x: Value, mask?: Value) => Value,
): Value {
  const [batch, , area, width] = windows.shape as [Dimension, number, number, number];
  const grid = reshape(windows, { shape: [batch, down, across, area, width] });
  const part = (row: number, column: number, rows: number, columns: number) =>
    reshape(slice(grid, { starts: [0, row, column, 0, 0], sizes: [batch, rows, columns, area, width] }), {
      shape: [batch, rows * columns, area, width],
    });
  const [height, breadth] = [down - 1, across - 1];
  const inner = attend(part(0, 0, height, breadth));
  const edges = attend(concat([part(height, 0, 1, across), part(0, breadth, height, 1)], { axis: 1 }), mask);
  const taken = (start: number, count: number) =>
    slice(edges, { starts: [0, start, 0, 0], sizes: [batch, count, area, width] });
  const above = concat([
    reshape(inner, { shape: [batch, height, breadth, area, width] }),
    reshape(taken(across, height), { shape: [batch, height, 1, area, width] }),
  ], { axis: 2 });
  return concat([reshape(above, { shape: [batch, height * across, area, width] }), taken(0, across)], { axis: 1 });
}
