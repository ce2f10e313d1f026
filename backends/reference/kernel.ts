// The type of the reference's kernels: functions of host tensors.
import { resolveShape, type Sizes, type TensorType } from "../../src/graph/mod.ts";
import { allocateArray, sizeOf, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import { broadcastStrides, copyStrided, rowMajor } from "./strided_copy.ts";

/** What a kernel gets besides its operands. */
export interface KernelContext {
  /** The values of named sizes in this execution. */
  readonly sizes: Sizes;
  /** Types and shapes of the outputs; names are resolved with `sizes`. */
  readonly outputs: readonly TensorType[];
}

/** Computes a node's outputs. A kernel that writes a state changes its first operand and returns it. */
export type Kernel<A> = (inputs: readonly Tensor[], attributes: A, context: KernelContext) => readonly Tensor[];

/** A zeroed tensor for an output. */
export function allocateOutput({ outputs, sizes }: KernelContext, index = 0): Tensor {
  const shape = resolveShape(outputs[index].shape, sizes);
  return new Tensor(outputs[index].dataType, shape, allocateArray(outputs[index].dataType, sizeOf(shape)));
}

/** The elements of x broadcast to a shape; x's own where it has it. */
export function broadcastData(x: Tensor, shape: readonly number[]): TypedArray {
  if (x.shape.join() === shape.join()) return x.data;
  const data = allocateArray(x.dataType, sizeOf(shape));
  if (x.size === 1) return data.fill(x.data[0] as never);
  copyStrided(shape, x.data, { strides: broadcastStrides(x.shape, shape) }, data, { strides: rowMajor(shape) });
  return data;
}
