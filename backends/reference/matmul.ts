// The matrix product: rows of a against columns of b laid out as rows, four by four, summed in float64.
import { allocateArray, sizeOf, type Tensor } from "../../src/tensor/mod.ts";
import type { AttributesOf, matrixProducts } from "../../src/operators/mod.ts";
import { allocateOutput, type Kernel } from "./kernel.ts";
import { broadcastStrides } from "./strided_copy.ts";

/** y[m, n] = Σ a[m, k] · columns[n, k], each argument from its offset. */
function multiply(
  [y, a, columns]: readonly Float32Array[],
  [offsetY, offsetA, offsetB]: readonly number[],
  [M, N, K]: readonly number[],
): void {
  for (let m = 0; m < M; m++) {
    const row = offsetA + m * K;
    let n = 0;
    for (; n + 4 <= N; n += 4) {
      const b0 = offsetB + n * K, b1 = b0 + K, b2 = b1 + K, b3 = b2 + K;
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      for (let k = 0; k < K; k++) {
        const x = a[row + k];
        s0 += x * columns[b0 + k];
        s1 += x * columns[b1 + k];
        s2 += x * columns[b2 + k];
        s3 += x * columns[b3 + k];
      }
      const at = offsetY + m * N + n;
      y[at] = s0;
      y[at + 1] = s1;
      y[at + 2] = s2;
      y[at + 3] = s3;
    }
    for (; n < N; n++) {
      let sum = 0;
      for (let k = 0, b = offsetB + n * K; k < K; k++) sum += a[row + k] * columns[b + k];
      y[offsetY + m * N + n] = sum;
    }
  }
}

/** Each matrix of b with its axes exchanged, so that columns are contiguous. */
function toColumns(b: Tensor): Float32Array {
  const [K, N] = b.shape.slice(-2);
  const source = b.data as Float32Array;
  const columns = allocateArray(b.dataType, b.size) as Float32Array;
  for (let at = 0; at < b.size; at += K * N) {
    for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) columns[at + n * K + k] = source[at + k * N + n];
  }
  return columns;
}

/** Visit the matrices of a batch with the offsets of both operands' matrices. */
function eachMatrix(a: Tensor, b: Tensor, batch: readonly number[], visit: (i: number, a: number, b: number) => void) {
  const counts = [a, b].map((x) => x.shape.slice(0, -2));
  const [stridesA, stridesB] = counts.map((shape) => broadcastStrides(shape, batch));
  const index = batch.map(() => 0);
  for (let i = 0; i < sizeOf(batch); i++) {
    visit(i, index.reduce((s, x, d) => s + x * stridesA[d], 0), index.reduce((s, x, d) => s + x * stridesB[d], 0));
    for (let d = batch.length - 1; d >= 0 && ++index[d] === batch[d]; d--) index[d] = 0;
  }
}

/** The kernel by name. */
export const matrixProductKernels: { [K in keyof typeof matrixProducts]: Kernel<AttributesOf<K>> } = {
  matmul: ([a, b], _, context) => {
    const y = allocateOutput(context);
    const [M, N] = y.shape.slice(-2);
    const K = a.shape[a.shape.length - 1];
    const arrays = [y.data as Float32Array, a.data as Float32Array, toColumns(b)];
    eachMatrix(a, b, y.shape.slice(0, -2), (i, x, z) => multiply(arrays, [i * M * N, x * M * K, z * K * N], [M, N, K]));
    return [y];
  },
};
