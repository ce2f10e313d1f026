// Copies between strided arrays: every operator that moves data is one of these.
import type { TypedArray } from "../../src/tensor/mod.ts";

/** The strides, in elements, of a row-major array. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** The strides with which an array of `shape` is read as if broadcast to `target`: 0 along the axes it lacks. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = rowMajor(shape);
  const added = target.length - shape.length;
  return target.map((_, i) => i < added || shape[i - added] === 1 ? 0 : strides[i - added]);
}

/** Where a strided array begins and how its axes step, in elements. */
export interface Layout {
  readonly strides: readonly number[];
  readonly offset?: number;
}

/** Copy an array of `shape` from one layout to another. */
export function copyStrided(
  shape: readonly number[],
  source: TypedArray,
  from: Layout,
  target: TypedArray,
  to: Layout,
): void {
  if (shape.some((length) => length === 0)) return;
  const last = shape.length - 1;
  const walk = (axis: number, at: number, put: number): void => {
    const length = axis > last ? 1 : shape[axis];
    const step = from.strides[axis] ?? 0;
    const stride = to.strides[axis] ?? 0;
    if (axis >= last) {
      for (let i = 0; i < length; i++) target[put + i * stride] = source[at + i * step] as never;
      return;
    }
    for (let i = 0; i < length; i++) walk(axis + 1, at + i * step, put + i * stride);
  };
  walk(0, from.offset ?? 0, to.offset ?? 0);
}
