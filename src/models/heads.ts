// Hidden states cut into heads and joined again.
import type { Value } from "../graph/mod.ts";
import { reshape, transpose } from "../operators/mod.ts";

/** [rows, T, H · D] to [rows, H, T, D]. */
export function splitHeads(x: Value, heads: number): Value {
  const [rows, T, width] = x.shape;
  const cut = reshape(x, { shape: [rows, T, heads, (width as number) / heads] });
  return transpose(cut, { permutation: [0, 2, 1, 3] });
}

/** [rows, H, T, D] to [rows, T, H · D]. */
export function joinHeads(x: Value): Value {
  const [rows, heads, T, width] = x.shape;
  const cut = transpose(x, { permutation: [0, 2, 1, 3] });
  return reshape(cut, { shape: [rows, T, (heads as number) * (width as number)] });
}
