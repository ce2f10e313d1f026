// The indices with which windows look up their learned bias for each pair of positions (Liu et al. 2021, Bao et al. 2021).
import { Tensor } from "../../tensor/mod.ts";

/** The number of different offsets between two positions of a window. */
export function relativeOffsets([height, width]: readonly [number, number]): number {
  return (2 * height - 1) * (2 * width - 1);
}

/**
 * Which row of a bias table each pair of positions reads.
 *
 * @param window The rows and columns of a window.
 * @param options.classToken Whether a class token stands before the positions; it reads the table's last three rows.
 * @returns int64 [S, S], the query's position first.
 */
export function relativePositionIndex(
  [height, width]: readonly [number, number],
  options: { classToken?: boolean } = {},
): Tensor {
  const area = height * width;
  const extra = options.classToken ? 1 : 0;
  const side = area + extra;
  const data = new BigInt64Array(side * side);
  for (let a = 0; a < area; a++) {
    for (let b = 0; b < area; b++) {
      const rows = Math.floor(a / width) - Math.floor(b / width) + height - 1;
      const columns = a % width - b % width + width - 1;
      data[(a + extra) * side + b + extra] = BigInt(rows * (2 * width - 1) + columns);
    }
  }
  if (extra) {
    const offsets = BigInt(relativeOffsets([height, width]));
    data.fill(offsets, 0, side); // class token to patches
    for (let a = 0; a < side; a++) data[a * side] = offsets + 1n; // patches to class token
    data[0] = offsets + 2n;
  }
  return new Tensor("int64", [side, side], data);
}
