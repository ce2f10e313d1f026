// What an adapter adds to a layer's weight, put into the weight: the model then computes the same without the adapter.
import { Tensor, toFloat32 } from "../../tensor/mod.ts";

/**
 * weight + scaling · B A.
 *
 * @param weight Shape [outputs, inputs], or [inputs, outputs] with `transposed`.
 * @param a Shape [rank, inputs].
 * @param b Shape [outputs, rank].
 * @returns float32, of the weight's shape.
 */
export function mergedWeight(
  weight: Tensor,
  { a, b, scaling, transposed }: { a: Tensor; b: Tensor; scaling: number; transposed: boolean },
): Tensor {
  const [rank, inputs] = a.shape;
  const [outputs] = b.shape;
  const [rows, columns] = [toFloat32(a.dataType, a.data), toFloat32(b.dataType, b.data)];
  const merged = Float32Array.from(toFloat32(weight.dataType, weight.data));
  // An output's whole sum in float64, rounded once.
  const delta = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    delta.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scaling * columns[output * rank + r];
      for (let input = 0; input < inputs; input++) delta[input] += factor * rows[r * inputs + input];
    }
    const [start, step] = transposed ? [output, outputs] : [output * inputs, 1];
    for (let input = 0; input < inputs; input++) merged[start + input * step] += delta[input];
  }
  return new Tensor("float32", weight.shape, merged);
}
