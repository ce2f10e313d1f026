// Reading the elements of a weight a part at a time, whether its source can read parts or only the whole.
import { bytesPerElement, type TypedArray, viewArray } from "../tensor/mod.ts";
import type { StoredWeight } from "./stored_weight.ts";

/** Reads elements [from, to) of a weight, in its data type; the next call may overwrite them. */
export type ReadElements = (from: number, to: number) => Promise<TypedArray>;

/**
 * A function that reads elements of a weight. A weight that can only be read whole is read once, at the first call.
 *
 * @param memory Returns a buffer of so many bytes to read a part into.
 */
export function elementReader(weight: StoredWeight, memory: (bytes: number) => ArrayBuffer): ReadElements {
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
