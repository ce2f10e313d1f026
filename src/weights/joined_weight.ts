// A weight that a file keeps in parts.
import { FormatError } from "../errors/mod.ts";
import { allocateArray, sizeOf, Tensor } from "../tensor/mod.ts";
import type { StoredWeight } from "./stored_weight.ts";

/**
 * Parts joined along the first axis.
 *
 * @param name What messages call the whole.
 * @param parts At least one.
 * @throws {FormatError} If the parts' types differ, or their other axes.
 */
export function joinedWeight(name: string, parts: readonly StoredWeight[]): StoredWeight {
  const [{ dataType, shape: [, ...rest] }] = parts;
  if (parts.some((part) => part.dataType !== dataType || part.shape.slice(1).join() !== rest.join())) {
    const found = parts.map((part) => `${part.dataType} [${part.shape.join(", ")}]`).join(" and ");
    throw new FormatError(`Cannot read ${name}: its parts are ${found}, expected alike but for the first axis`, {
      tensor: name,
    });
  }
  const shape = [parts.reduce((sum, part) => sum + part.shape[0], 0), ...rest];
  return {
    dataType,
    shape,
    async load() {
      const data = allocateArray(dataType, sizeOf(shape));
      const bytes = new Uint8Array(data.buffer);
      let at = 0;
      for (const part of parts) {
        const { data: { buffer, byteOffset, byteLength } } = await part.load();
        bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
        at += byteLength;
      }
      return new Tensor(dataType, shape, data);
    },
  };
}
