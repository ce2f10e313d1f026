// Filling a runtime's value from a host tensor, as float32 where it is a floating-point number.
import { bytesPerElement, isFloat, sizeOf, type Tensor, toFloat32, viewArray } from "../../../src/tensor/mod.ts";
import { type Dimension, resolveDimension, type Sizes } from "../../../src/graph/mod.ts";
import type { StoredWeight } from "../../../src/weights/mod.ts";
import { HostValue } from "./host_value.ts";
import type { RuntimeValue } from "./runtime.ts";

/** The number of elements that are converted at once, so that little memory is needed beside the value's. */
const part = 1 << 18;

/**
 * Overwrite a value's elements with a tensor's elements.
 *
 * @param value At least as many elements; float32 where the tensor's are floating-point numbers, else of the tensor's type.
 * @param offset The first of them that is overwritten.
 */
export function fillValue(
  value: RuntimeValue,
  { dataType, data }: Pick<Tensor, "dataType" | "data">,
  offset = 0,
): void {
  if (!isFloat(dataType) || dataType === "float32") return value.write(data, offset);
  // An array takes the values of one of another type; those of bfloat16 are held as their bits.
  if (value instanceof HostValue && dataType !== "bfloat16") return value.write(data, offset);
  const converted = new Float32Array(Math.min(part, data.length));
  for (let at = 0; at < data.length; at += part) {
    const elements = data.subarray(at, at + part);
    const into = converted.subarray(0, elements.length);
    toFloat32(dataType, elements, into);
    value.write(into, offset + at);
  }
}

/** Overwrite a value, [1], int64 or int32, with a size. @param expression As `resolveDimension` takes it. */
export function fillSize(value: RuntimeValue, expression: Dimension, sizes: Sizes): void {
  const size = resolveDimension(expression, sizes);
  value.write(value.dataType === "int32" ? Int32Array.of(size) : BigInt64Array.of(BigInt(size)), 0);
}

/** The bytes that are read at once of what is converted; others get their turns while so many are awaited. */
const readAtOnce = 1 << 20;

/** Fills values from files through one buffer. Memory for the whole of each would be cleared, filled, and collected again. */
export class FileFiller {
  #buffer: Uint8Array<ArrayBuffer> | undefined;

  /** Whether a weight is converted on its way, and can be read in parts. */
  static takes({ dataType, blocks, readInto }: StoredWeight): boolean {
    return (dataType === "float16" || dataType === "bfloat16") && !blocks && readInto !== undefined;
  }

  /** Overwrite a value with a weight that `takes` says yes to. */
  async fill(value: RuntimeValue, { dataType, shape, readInto }: StoredWeight): Promise<void> {
    const buffer = this.#buffer ?? new Uint8Array(readAtOnce);
    this.#buffer = undefined; // it is nobody else's until this is done
    const [width, size] = [bytesPerElement(dataType), sizeOf(shape)];
    for (let at = 0; at < size;) {
      const bytes = buffer.subarray(0, Math.min(readAtOnce, width * (size - at)));
      await readInto!(width * at, bytes);
      const data = viewArray(dataType, bytes.buffer, 0, bytes.length / width);
      fillValue(value, { dataType, data }, at);
      at += data.length;
    }
    this.#buffer = buffer;
  }
}
