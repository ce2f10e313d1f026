// Attention within windows (Liu et al. 2021): a grid of tokens is cut into windows, shifted in every other layer. After a
// shift the windows of the last row and column hold tokens that were not neighbours, which may not see one another.
import type { Dimension, Value } from "../../graph/mod.ts";
import { concat, pad, reshape, roll, slice, transpose } from "../../operators/mod.ts";
import { Tensor } from "../../tensor/mod.ts";

/** The rows and columns of a grid of tokens, or of windows. */
export type Grid = readonly [rows: number, columns: number];

/** Consecutive windows in which tokens see alike. */
export interface WindowGroup {
  /** How many windows. */
  readonly count: number;
  /** Added to the scores of each, [1, 1, w², w²]; undefined where all see all. */
  readonly mask?: Tensor;
}

/** What is added to the scores of the windows in the last column, in the last row, and in both. */
export interface ShiftMasks {
  readonly column: Tensor;
  readonly row: Tensor;
  readonly corner: Tensor;
}

/**
 * The masks of windows of w × w tokens that are shifted by half: tokens from either side of the cut do not see one another.
 *
 * @param apart Added where a token may not see another.
 * @returns Each of shape [1, 1, w², w²].
 */
export function shiftMasks(window: number, apart: number): ShiftMasks {
  const area = window * window;
  const cut = window - Math.floor(window / 2);
  const mask = (inRows: boolean, inColumns: boolean) => {
    const side = (i: number) =>
      2 * Number(inRows && Math.floor(i / window) >= cut) + Number(inColumns && i % window >= cut);
    const data = Float32Array.from(
      { length: area * area },
      (_, i) => side(Math.floor(i / area)) === side(i % area) ? 0 : apart,
    );
    return new Tensor("float32", [1, 1, area, area], data);
  };
  return { column: mask(false, true), row: mask(true, false), corner: mask(true, true) };
}

/** Append zeros so that the first two axes after the batch have the given lengths. */
export function padGrid(x: Value, [rows, columns]: Grid): Value {
  const [, height, width] = x.shape as [Dimension, number, number, number];
  if (rows === height && columns === width) return x;
  return pad(x, { beginning: [0, 0, 0, 0], ending: [0, rows - height, columns - width, 0] });
}

/**
 * Let the tokens of a grid attend within windows.
 *
 * @param x Shape [batch, rows, columns, C].
 * @param window The rows, and columns, of a window.
 * @param masks If the windows are shifted, `shiftMasks`'.
 * @param attend The attention: [batch, windows, w², C] to the same, the windows in groups, one after another.
 * @returns The shape of `x`.
 */
export function attendInWindows(
  x: Value,
  window: number,
  masks: ShiftMasks | undefined,
  attend: (windows: Value, groups: readonly WindowGroup[]) => Value,
): Value {
  const [batch, rows, columns, width] = x.shape as [Dimension, number, number, number];
  const [down, across] = [Math.ceil(rows / window), Math.ceil(columns / window)];
  const whole = [batch, down * window, across * window, width];
  const shift = Math.floor(window / 2);
  const turn = (y: Value, by: number) => masks ? roll(y, { shifts: [by, by], axes: [1, 2] }) : y;
  const cut = reshape(turn(padGrid(x, [down * window, across * window]), -shift), {
    shape: [batch, down, window, across, window, width],
  });
  const grid = reshape(transpose(cut, { permutation: [0, 1, 3, 2, 4, 5] }), {
    shape: [batch, down, across, window * window, width],
  });
  const attended = reshape(masks ? attendShifted(grid, masks, attend) : attendAlike(grid, attend), {
    shape: [batch, down, across, window, window, width],
  });
  const joined = reshape(transpose(attended, { permutation: [0, 1, 3, 2, 4, 5] }), { shape: whole });
  return slice(turn(joined, shift), { starts: [0, 0, 0, 0], sizes: x.shape });
}

type Attend = Parameters<typeof attendInWindows>[3];

/** All windows [batch, down, across, w², C] see alike. */
function attendAlike(grid: Value, attend: Attend): Value {
  const [batch, down, across, area, width] = grid.shape as [Dimension, number, number, number, number];
  const count = down * across;
  return attend(reshape(grid, { shape: [batch, count, area, width] }), [{ count }]);
}

/** The windows [batch, down, across, w², C] of the last row and column have masks: for a page at Donut's size 1 in 30. */
function attendShifted(grid: Value, masks: ShiftMasks, attend: Attend): Value {
  const [batch, down, across, area, width] = grid.shape as [Dimension, number, number, number, number];
  const [height, breadth] = [down - 1, across - 1];
  /** The inner windows, the last column without its last, and the last row. */
  const blocks = [[0, 0, height, breadth], [0, breadth, height, 1], [height, 0, 1, across]]
    .filter(([, , rows, columns]) => rows * columns > 0);
  const windows = concat(
    blocks.map(([row, column, rows, columns]) =>
      reshape(slice(grid, { starts: [0, row, column, 0, 0], sizes: [batch, rows, columns, area, width] }), {
        shape: [batch, rows * columns, area, width],
      })
    ),
    { axis: 1 },
  );
  const groups = [
    { count: height * breadth },
    { count: height, mask: masks.column },
    { count: breadth, mask: masks.row },
    { count: 1, mask: masks.corner },
  ];
  const attended = attend(windows, groups.filter(({ count }) => count > 0));
  let start = 0;
  const parts = blocks.map(([, , rows, columns]) => {
    const part = slice(attended, { starts: [0, start, 0, 0], sizes: [batch, rows * columns, area, width] });
    start += rows * columns;
    return reshape(part, { shape: [batch, rows, columns, area, width] });
  });
  const row = parts.pop()!;
  return parts.length ? concat([concat(parts, { axis: 2 }), row], { axis: 1 }) : row;
}
