// What an adapter adds to a layer's weight, put into the weight: the model then computes the same without the adapter.
import { Tensor, toFloat32 } from "../../tensor/mod.ts";

/** The numbers of a matrix, its axes exchanged. */
function transposed({ dataType, shape: [rows, columns], data }: Tensor): Float32Array {
  const values = toFloat32(dataType, data);
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
  }
  return result;
}

const numbersOf = ({ dataType, data }: Tensor) => toFloat32(dataType, data);

/**
 * weight + scaling · B A.
 *
 * @param weight Shape [outputs, inputs], or [inputs, outputs] with `byInput`.
 * @param a Shape [rank, inputs].
 * @param b Shape [outputs, rank].
 * @returns float32, of the weight's shape.
 */
export function mergedWeight(
  weight: Tensor,
  { a, b, scaling, byInput }: { a: Tensor; b: Tensor; scaling: number; byInput: boolean },
): Tensor {
  const [rank] = a.shape;
  const [rows, columns] = weight.shape;
  // [rows, rank] and [rank, columns]: (B A)ᵀ is Aᵀ Bᵀ.
  const left = byInput ? transposed(a) : numbersOf(b);
  const right = byInput ? transposed(b) : numbersOf(a);
  const merged = Float32Array.from(numbersOf(weight));
  // A row's whole sum in float64, rounded once.
  const delta = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    delta.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scaling * left[row * rank + r];
      for (let column = 0; column < columns; column++) delta[column] += factor * right[r * columns + column];
    }
    for (let column = 0; column < columns; column++) merged[row * columns + column] += delta[column];
  }
  return new Tensor("float32", weight.shape, merged);
}
