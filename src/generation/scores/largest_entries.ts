// The largest entries of a row, without sorting it.

/** Entries of a row, the largest first; ties go to the lowest index. */
export interface Largest {
  readonly values: Float32Array;
  readonly indices: Int32Array;
}

/** The k largest entries of a row that has as many; −∞ counts as the smallest value. */
export function largest(row: Float32Array, k: number): Largest {
  const values = new Float32Array(k).fill(-Infinity);
  const indices = new Int32Array(k);
  const insert = (held: number, index: number): void => {
    const value = row[index];
    let at = held;
    for (; at > 0 && values[at - 1] < value; at--) {
      values[at] = values[at - 1];
      indices[at] = indices[at - 1];
    }
    values[at] = value;
    indices[at] = index;
  };
  for (let i = 0; i < k; i++) insert(i, i);
  const last = k - 1;
  let least = values[last];
  // Nearly every entry of a long row is below the least: a loop of nothing else.
  for (let i = k; i < row.length; i++) {
    if (row[i] > least) {
      insert(last, i);
      least = values[last];
    }
  }
  return { values, indices };
}
