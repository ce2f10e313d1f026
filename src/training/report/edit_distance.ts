// Levenshtein's edit distance over any elements: characters, words.

/**
 * How many elements have to be inserted, deleted or replaced to make one list of another.
 *
 * @param a Elements, which are compared as `Map` compares keys.
 * @param b Those of the other list.
 */
export function editDistance<T>(a: readonly T[], b: readonly T[]): number {
  const known = new Map<T, number>();
  const numbered = (list: readonly T[]) =>
    Uint32Array.from(list, (element) => {
      const number = known.get(element) ?? known.size;
      known.set(element, number);
      return number;
    });
  const [from, to] = [numbered(a), numbered(b)];
  // What both begin with and end with needs no edit.
  let begin = 0, end = 0;
  const shorter = Math.min(from.length, to.length);
  while (begin < shorter && from[begin] === to[begin]) begin++;
  while (end < shorter - begin && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  return distance(from.subarray(begin, from.length - end), to.subarray(begin, to.length - end));
}

/** One row of the table at a time: `row[j]` edits make the first j elements of `b` of those of `a` so far. */
function distance(a: Uint32Array, b: Uint32Array): number {
  const row = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    let diagonal = row[0];
    row[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      const replaced = diagonal + (a[i] === b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = Math.min(replaced, diagonal + 1, row[j] + 1);
    }
  }
  return row[b.length];
}
