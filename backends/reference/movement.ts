// The kernels that move data: each is a strided copy.
import { resolveAttribute } from "../../src/graph/mod.ts";
import { type AttributesOf, type movement, normalizeAxis } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { allocateOutput, broadcastData, type Kernel } from "./kernel.ts";
import { copyStrided, rowMajor } from "./strided_copy.ts";

type Name = keyof typeof movement;

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** The kernels by name. */
export const movementKernels: { [K in Name]: Kernel<AttributesOf<K>> } = {
  reshape: ([x], _, context) => [new Tensor(x.dataType, allocateOutput(context).shape, x.data)],
  transpose: ([x], { permutation }, context) => {
    const y = allocateOutput(context);
    const strides = rowMajor(x.shape);
    const from = { strides: permutation.map((axis) => strides[axis]) };
    copyStrided(y.shape, x.data, from, y.data, { strides: rowMajor(y.shape) });
    return [y];
  },
  expand: ([x], _, context) => {
    const { shape } = allocateOutput(context);
    return [new Tensor(x.dataType, shape, broadcastData(x, shape))];
  },
  concat: (inputs, { axis }, context) => {
    const y = allocateOutput(context);
    const strides = rowMajor(y.shape);
    const along = normalizeAxis(axis, y.shape.length);
    let start = 0;
    for (const x of inputs) {
      const to = { strides, offset: start * strides[along] };
      copyStrided(x.shape, x.data, { strides: rowMajor(x.shape) }, y.data, to);
      start += x.shape[along];
    }
    return [y];
  },
  slice: ([x], { starts }, context) => {
    const y = allocateOutput(context);
    const strides = rowMajor(x.shape);
    const offset = dot(starts.map((start) => resolveAttribute(start, context.sizes)), strides);
    copyStrided(y.shape, x.data, { strides, offset }, y.data, { strides: rowMajor(y.shape) });
    return [y];
  },
  pad: ([x], { beginning, value = 0 }, context) => {
    const y = allocateOutput(context);
    y.data.fill((y.data instanceof BigInt64Array ? BigInt(value) : value) as never);
    const strides = rowMajor(y.shape);
    const offset = dot(beginning.map((count) => resolveAttribute(count, context.sizes)), strides);
    copyStrided(x.shape, x.data, { strides: rowMajor(x.shape) }, y.data, { strides, offset });
    return [y];
  },
};
