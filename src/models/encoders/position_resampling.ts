// Learned positions stretched to another grid, as torch.nn.functional.interpolate with align_corners=False does it:
// one product with a constant matrix for the rows and one for the columns.
import type { Value } from "../../graph/mod.ts";
import { matmul, reshape } from "../../operators/mod.ts";
import { Tensor } from "../../tensor/mod.ts";

/** How values between the points of a grid are made. */
export type Kernel = "bilinear" | "bicubic";

/** The cubic convolution kernel (Keys 1981) with PyTorch's a. */
function cubic(distance: number): number {
  const a = -0.75;
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** The matrix [to, from] that makes `to` values of `from`; what lies outside is the nearest edge. */
export function resamplingMatrix(from: number, to: number, kernel: Kernel): Tensor {
  const data = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * from / to - 0.5;
    const at = kernel === "bilinear" ? Math.max(centre, 0) : centre;
    const below = Math.floor(at);
    const reach = kernel === "bilinear" ? [0, 1] : [-1, 0, 1, 2];
    for (const offset of reach) {
      const distance = at - below - offset;
      const weight = kernel === "bilinear" ? 1 - Math.abs(distance) : cubic(distance);
      const source = Math.min(Math.max(below + offset, 0), from - 1);
      data[i * from + source] += weight;
    }
  }
  return new Tensor("float32", [to, from], data);
}

/**
 * Resample a grid of vectors.
 *
 * @param x Shape [from[0] · from[1], C].
 * @returns Shape [to[0] · to[1], C]; x itself where the grids are equal.
 */
export function resampleGrid(
  x: Value,
  from: readonly [number, number],
  to: readonly [number, number],
  kernel: Kernel,
): Value {
  if (from.join() === to.join()) return x;
  const { builder } = x;
  const width = x.shape[1] as number;
  const rows = matmul(
    builder.constant(resamplingMatrix(from[0], to[0], kernel)),
    reshape(x, { shape: [from[0], from[1] * width] }),
  );
  const columns = matmul(
    builder.constant(resamplingMatrix(from[1], to[1], kernel)),
    reshape(rows, { shape: [to[0], from[1], width] }),
  );
  return reshape(columns, { shape: [to[0] * to[1], width] });
}
