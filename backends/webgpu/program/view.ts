// Where a value's elements lie: a storage and a strided view of it. Movements of data are views of the same storage; elements
// are copied only where a kernel needs them to be contiguous.
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  multiplyDimensions,
  type Shape,
} from "../../../src/graph/mod.ts";
import type { DataType, Tensor } from "../../../src/tensor/mod.ts";
import type { Layout } from "../weights/layout.ts";

/** The values of dimensions in one binding or run. */
export type Resolve = (dimension: Dimension) => number;

/** A number that depends on sizes. */
export type Resolved = (resolve: Resolve) => number;

/**
 * That a storage holds 16 bits for each number: numbers that are float16 ("exact"), or numbers of 32 bits that are rounded to it, of
 * which those that are too large become its largest ("saturated").
 */
export type Float16 = "exact" | "saturated";

/** Memory that kernels read or write; which buffer it is, is decided when a program is bound. */
export type Storage =
  | { readonly kind: "temporary"; readonly elements: Resolved; readonly float16?: Float16 }
  | { readonly kind: "bound"; readonly name: string; readonly float16?: Float16 }
  | { readonly kind: "weights"; readonly name: string; readonly layout: Layout }
  /** A part of another storage that is bound by itself: `elements` of it, from element `from` on. */
  | { readonly kind: "window"; readonly of: Storage; readonly from: number; readonly elements: number }
  /** A copy of the beginning of another storage as texels, for the device's faster reads of those. */
  | { readonly kind: "texels"; readonly elements: Resolved }
  | { readonly kind: "constant"; readonly tensor: Tensor };

/** The storage that a window is a part of; another storage itself. */
export function wholeStorage(storage: Storage): Storage {
  return storage.kind === "window" ? storage.of : storage;
}

/** Whether a storage holds 16 bits for each number; undefined where it holds 32. */
export function float16Of(storage: Storage): Float16 | undefined {
  const whole = wholeStorage(storage);
  return whole.kind === "temporary" || whole.kind === "bound" ? whole.float16 : undefined;
}

/** The bytes of an element of a storage. */
export function elementBytes(storage: Storage): 2 | 4 {
  return float16Of(storage) ? 2 : 4;
}

/** A value as elements of a storage; strides and offset count elements. */
export interface View {
  readonly storage: Storage;
  readonly dataType: DataType;
  readonly shape: Shape;
  readonly strides: Shape;
  readonly offset: Dimension;
}

/** The strides of a row-major array. */
export function rowMajor(shape: Shape): Dimension[] {
  const strides = new Array<Dimension>(shape.length);
  let stride: Dimension = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride = multiplyDimensions(stride, shape[i]);
  }
  return strides;
}

/** A whole storage as a row-major array. */
export function wholeView(storage: Storage, dataType: DataType, shape: Shape): View {
  return { storage, dataType, shape, strides: rowMajor(shape), offset: 0 };
}

/** Whether a view's elements are contiguous, in row-major order. */
export function isContiguous({ shape, strides }: View): boolean {
  const expected = rowMajor(shape);
  return shape.every((length, i) => length === 1 || strides[i] === expected[i]);
}

/** The view with its axes in another order. */
export function transposeView(view: View, permutation: readonly number[]): View {
  return {
    ...view,
    shape: permutation.map((axis) => view.shape[axis]),
    strides: permutation.map((axis) => view.strides[axis]),
  };
}

/** The block of `sizes` from `starts`. */
export function sliceView(view: View, starts: Shape, sizes: Shape): View {
  const offset = starts.reduce<Dimension>(
    (sum, start, i) => addDimensions(sum, multiplyDimensions(start, view.strides[i])),
    view.offset,
  );
  return { ...view, shape: sizes, offset };
}

/** The view repeated along the axes it lacks or has once. */
export function broadcastView(view: View, shape: Shape): View {
  const added = shape.length - view.shape.length;
  const strides = shape.map((length, i) => {
    const repeats = i < added || (view.shape[i - added] === 1 && length !== 1);
    return repeats ? 0 : view.strides[i - added];
  });
  return { ...view, shape, strides };
}

/** The same elements in another shape, or undefined where that needs a copy. */
export function reshapeView(view: View, shape: Shape): View | undefined {
  if (isContiguous(view)) return { ...view, shape, strides: rowMajor(shape) };
  const merged = mergeAxes(view.shape, [view.strides]);
  const strides: Dimension[] = [];
  let at = 0;
  for (const [axis, length] of merged.shape.entries()) {
    const group: Dimension[] = [];
    let product: Dimension = 1;
    while (at < shape.length && product !== length) {
      group.push(shape[at]);
      product = multiplyDimensions(product, shape[at++]);
    }
    if (product !== length) return undefined;
    rowMajor(group).forEach((stride) => strides.push(multiplyDimensions(stride, merged.strides[0][axis])));
  }
  for (; at < shape.length; at++) {
    if (shape[at] !== 1) return undefined;
    strides.push(0);
  }
  return { ...view, shape, strides };
}

/** The fewest axes on which all operands step alike: axes of length 1 dropped, neighbouring axes that are contiguous merged. */
export function mergeAxes(shape: Shape, strides: readonly Shape[]): { shape: Dimension[]; strides: Dimension[][] } {
  const merged: Dimension[] = [];
  const steps: Dimension[][] = strides.map(() => []);
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const last = merged.length - 1;
    const contiguous = last >= 0 && strides.every((own, i) => steps[i][last] === multiplyDimensions(own[axis], length));
    if (contiguous) merged[last] = multiplyDimensions(merged[last], length);
    else merged.push(length);
    strides.forEach((own, i) => steps[i][contiguous ? last : merged.length - 1] = own[axis]);
  }
  return { shape: merged, strides: steps };
}

/** Whether a dimension is a multiple of a number for all sizes. */
export function isMultiple(dimension: Dimension, factor: number): boolean {
  return dimension === 0 || divideDimensions(dimension, factor) !== undefined;
}
