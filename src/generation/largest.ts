// The largest entries of a row, without sorting it.

/** Entries of a row, the largest first; of equals the first. */
export interface Largest {
  readonly values: number[];
  readonly indices: number[];
}

/** The k largest entries of values; −∞ counts as the smallest value. */
export function largest(row: ArrayLike<number>, k: number): Largest {
  const values: number[] = [];
  const indices: number[] = [];
  let least = -Infinity;
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (values.length === k && !(value > least)) continue;
    let low = 0;
    for (let high = values.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (values[middle] >= value) low = middle + 1;
      else high = middle;
    }
    if (values.length === k) {
      values.pop();
      indices.pop();
    }
    values.splice(low, 0, value);
    indices.splice(low, 0, i);
    if (values.length === k) least = values[k - 1];
  }
  return { values, indices };
}
