// The kernels that read or write at positions that other values or sizes give.
import { ShapeError } from "../../src/errors/mod.ts";
import { resolveAttribute } from "../../src/graph/mod.ts";
import { type AttributesOf, type indexing, normalizeAxis } from "../../src/operators/mod.ts";
import { sizeOf } from "../../src/tensor/mod.ts";
import { allocateOutput, type Kernel } from "./kernel.ts";
import { copyStrided, rowMajor } from "./strided_copy.ts";

type Name = keyof typeof indexing;

function checkIndex(index: number, length: number, operator: string): void {
  if (index < 0 || index >= length) throw new ShapeError(`Cannot ${operator} entry ${index}: there are ${length}`);
}

/** The kernels by name. */
export const indexingKernels: { [K in Name]: Kernel<AttributesOf<K>> } = {
  gather: ([table, indices], { axis }, context) => {
    const y = allocateOutput(context);
    const at = normalizeAxis(axis, table.shape.length);
    const length = table.shape[at];
    const block = sizeOf(table.shape.slice(at + 1));
    const outer = sizeOf(table.shape.slice(0, at));
    let put = 0;
    for (let i = 0; i < outer; i++) {
      for (const entry of indices.data) {
        const index = Number(entry);
        checkIndex(index, length, "gather");
        const from = (i * length + index) * block;
        y.data.set(table.data.subarray(from, from + block) as never, put);
        put += block;
      }
    }
    return [y];
  },
  scatterAdd: ([indices, updates], _, context) => {
    const y = allocateOutput(context);
    const sums = new Float64Array(y.size);
    const block = sizeOf(y.shape.slice(1));
    indices.data.forEach((entry: number | bigint, i: number) => {
      checkIndex(Number(entry), y.shape[0], "scatterAdd");
      const at = Number(entry) * block;
      for (let j = 0; j < block; j++) sums[at + j] += updates.data[i * block + j] as number;
    });
    y.data.set(sums as never);
    return [y];
  },
  scatter: ([x, indices, updates], _, context) => {
    const y = allocateOutput(context);
    const block = sizeOf(y.shape.slice(1));
    y.data.set(x.data as never);
    indices.data.forEach((entry: number | bigint, i: number) => {
      checkIndex(Number(entry), y.shape[0], "scatter");
      y.data.set(updates.data.subarray(i * block, (i + 1) * block) as never, Number(entry) * block);
    });
    return [y];
  },
  cacheAppend: ([state, x, own], { axis, at = 0 }, { sizes }) => {
    const along = normalizeAxis(axis, state.shape.length);
    const [strides, source] = [rowMajor(state.shape), rowMajor(x.shape)];
    const write = (position: number, row: number, rows: number) => {
      const end = position + x.shape[along];
      if (position < 0 || end > state.shape[along]) {
        throw new ShapeError(`Cannot cacheAppend positions ${position} to ${end}: there are ${state.shape[along]}`);
      }
      const from = { strides: source, offset: row * source[0] };
      const to = { strides, offset: row * strides[0] + position * strides[along] };
      copyStrided([rows, ...x.shape.slice(1)], x.data, from, state.data, to);
    };
    if (own) { for (const [row, position] of own.data.entries()) write(Number(position), row, 1); }
    else write(resolveAttribute(at, sizes), 0, x.shape[0]);
    return [state];
  },
  // The program keeps x and copies it into the state when the run ends.
  assign: ([_state, x]) => [x],
};
