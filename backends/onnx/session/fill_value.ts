// Filling a runtime's value from a host tensor, as float32 where it is a floating-point number.
import { isFloat, type Tensor, toFloat32 } from "../../../src/tensor/mod.ts";
import { HostValue } from "./host_value.ts";
import type { RuntimeValue } from "./runtime.ts";

/** The number of elements that are converted at once, so that little memory is needed beside the value's. */
const part = 1 << 18;

/**
 * Overwrite a value with a tensor's elements.
 *
 * @param value As many elements; float32 where the tensor's are floating-point numbers, else of the tensor's type.
 */
export function fillValue(value: RuntimeValue, { dataType, data }: Tensor): void {
  if (!isFloat(dataType) || dataType === "float32") return value.write(data, 0);
  // An array takes the values of one of another type; those of bfloat16 are held as their bits.
  if (value instanceof HostValue && dataType !== "bfloat16") return value.write(data, 0);
  const converted = new Float32Array(Math.min(part, data.length));
  for (let at = 0; at < data.length; at += part) {
    const elements = data.subarray(at, at + part);
    const into = converted.subarray(0, elements.length);
    toFloat32(dataType, elements, into);
    value.write(into, at);
  }
}
