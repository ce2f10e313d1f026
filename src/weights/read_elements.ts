// Elements of a weight a part at a time, whether its source can read parts or only the whole.
import { bytesPerElement, type TypedArray, viewArray } from "../tensor/mod.ts";
import type { StoredWeight } from "./stored_weight.ts";

/** Elements `from` to before `to` of a weight, in its data type; they may be gone when the next are read. */
export type ReadElements = (from: number, to: number) => Promise<TypedArray>;

/**
 * How to read elements of a weight. One that can only be read whole is read once, when the first are asked for.
 *
 * @param memory Gives so many bytes to read a part into.
 */
export function elementsOf(weight: StoredWeight, memory: (bytes: number) => ArrayBuffer): ReadElements {
  const { dataType, readInto } = weight;
  if (!readInto) {
    let whole: ReturnType<StoredWeight["load"]> | undefined;
    return async (from, to) => (await (whole ??= weight.load())).data.subarray(from, to);
  }
  const width = bytesPerElement(dataType);
  return async (from, to) => {
    const bytes = (to - from) * width;
    const buffer = memory(bytes);
    await readInto(from * width, new Uint8Array(buffer, 0, bytes));
    return viewArray(dataType, buffer, 0, to - from);
  };
}
