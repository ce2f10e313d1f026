// Repeatable pseudo-random numbers for tests.
import { Tensor } from "../../src/tensor/mod.ts";

/** Repeatable pseudo-random numbers in [-1, 1), float32. */
export function numbers(seed: number, ...shape: number[]): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = ((Math.imul(i + seed * 977 + 1, 2654435761) >>> 8) / (1 << 23)) - 1;
  return new Tensor("float32", shape, data);
}

/** Whole numbers as int64's elements. */
export function int64(...values: number[]): BigInt64Array {
  return BigInt64Array.from(values, BigInt);
}
