// A host tensor: a data type, a shape and a typed array, row-major and contiguous. It computes nothing.
import { ShapeError } from "../errors/mod.ts";
import { type DataType, isArrayOf, type TypedArray, widenBfloat16 } from "./data_type.ts";

/** Numbers nested as deep as a tensor's rank. */
export type NestedNumbers = number | NestedNumbers[];

/** The number of elements of a tensor of `shape`. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor in host memory, row-major and contiguous.
 *
 * @example
 * ```ts
 * import { Tensor } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const t = new Tensor("float32", [2, 2], new Float32Array([1, 2, 3, 4]));
 * assertEquals(t.toList(), [[1, 2], [3, 4]]);
 * ```
 */
export class Tensor {
  /** The number of elements. */
  readonly size: number;

  /**
   * Make a tensor of its elements, which are not copied.
   *
   * @param dataType The element type.
   * @param shape The length of each axis; `[]` for a scalar.
   * @param data The elements, row-major; bfloat16 as its bits in a Uint16Array.
   * @throws {ShapeError} If the shape is not made of whole numbers, or does not fit the data's length or its type.
   */
  constructor(readonly dataType: DataType, readonly shape: readonly number[], readonly data: TypedArray) {
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw new ShapeError(`Cannot make a tensor: the shape [${shape}] must be made of whole numbers`);
    }
    if (!isArrayOf(dataType, data)) {
      throw new ShapeError(`Cannot make a ${dataType} tensor: a ${data?.constructor?.name} cannot hold its elements`);
    }
    this.size = sizeOf(shape);
    if (this.size !== data.length) {
      throw new ShapeError(
        `Cannot make a tensor of shape [${shape}]: it has ${this.size} elements, but the data has ${data.length}`,
        { shapes: [shape] },
      );
    }
  }

  /** The elements as nested lists of numbers, a list an axis; int64 as number, bfloat16 widened. */
  toList(): NestedNumbers {
    const data = this.dataType === "bfloat16" ? widenBfloat16(this.data as Uint16Array) : this.data;
    let at = 0;
    const list = (axis: number): NestedNumbers =>
      axis === this.shape.length ? Number(data[at++]) : Array.from({ length: this.shape[axis] }, () => list(axis + 1));
    return list(0);
  }
}
