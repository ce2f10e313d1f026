// Strided views: whether one is contiguous, and copying one that is not into a contiguous array.

/** The strides of a row-major contiguous array of `shape`, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** Whether a view's elements lie in row-major order without gaps; the stride of an axis of length 1 is not used. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  const expected = contiguousStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === expected[axis]);
}

type UnsignedArray =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/**
 * Copy a strided view into a contiguous array, as integers (copying floats could change the bits of a NaN).
 *
 * @param bytes The elements from the view's first to its last; the bytes start their buffer.
 * @param width The bytes of an element: 1, 2, 4 or 8.
 * @param shape The length of each axis.
 * @param strides The distance of neighbours along each axis, in elements.
 * @param size The number of elements of the view.
 * @returns The elements in row-major order, as bytes that start their buffer.
 */
export function gather(
  bytes: Uint8Array<ArrayBuffer>,
  width: number,
  shape: readonly number[],
  strides: readonly number[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const Unsigned = ({ 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const)[width];
  if (!Unsigned) throw new RangeError(`elements have ${width} bytes`);
  const source: UnsignedArray = new Unsigned(bytes.buffer, bytes.byteOffset, bytes.length / width);
  const target: UnsignedArray = new Unsigned(size);
  const axes = shape.map((count, axis) => ({ count, step: strides[axis] })).filter(({ count }) => count !== 1);
  let to = 0;
  const copy = (axis: number, from: number): void => {
    const { count, step } = axes[axis];
    if (axis < axes.length - 1) { for (let i = 0; i < count; i++) copy(axis + 1, from + i * step); }
    else for (let i = 0; i < count; i++) target[to++] = source[from + i * step];
  };
  if (axes.length > 0 && size > 0) copy(0, 0);
  else if (size === 1) target[0] = source[0];
  return new Uint8Array(target.buffer);
}
