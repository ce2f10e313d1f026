// The element types of tensors and the JavaScript array that holds each of them.
// bfloat16 has no JavaScript array: its 16 bits are held in a Uint16Array. A bool is one byte, 0 or 1.

/** The element type of a tensor. */
export type DataType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int8"
  | "int16"
  | "uint8"
  | "bool";

/** The JavaScript arrays that can hold a tensor's elements. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | Float16Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

const arrays: Readonly<Record<DataType, TypedArrayConstructor>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Float16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** The bytes that one element of `type` takes. */
export function bytesPerElement(type: DataType): number {
  return arrays[type].BYTES_PER_ELEMENT;
}

/** Allocate a zeroed array for `length` elements of `type`. */
export function allocateArray(type: DataType, length: number): TypedArray {
  return new arrays[type](length);
}

/** A view of `length` elements of `type` in `buffer` from `byteOffset` on, a multiple of the element's size. */
export function viewArray(type: DataType, buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray {
  return new arrays[type](buffer, byteOffset, length);
}

/**
 * Copy elements.
 *
 * @param into The array, of the same type and long enough, whose first elements they become. @default a new one
 * @returns The copies.
 */
export function copyArray(elements: TypedArray, into?: TypedArray): TypedArray {
  if (!into) return elements.slice();
  into.set(elements as never);
  return into.subarray(0, elements.length);
}

/** Whether `data` is the array that elements of `type` are held in. */
export function isArrayOf(type: DataType, data: TypedArray): boolean {
  return data instanceof arrays[type];
}

/** Whether elements of `type` are floating-point numbers. */
export function isFloat(type: DataType): boolean {
  return type === "float64" || type === "float32" || type === "float16" || type === "bfloat16";
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The float32 values of bfloat16 bits: the upper half of a float32. */
export function widenBfloat16(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) words[i] = source[i] << 16;
  return target;
}

/** The bfloat16 bits nearest to `value`, ties to even, as PyTorch rounds. */
export function toBfloat16(value: number): number {
  float[0] = value;
  if (Number.isNaN(value)) return 0x7fc0;
  return (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16;
}

/**
 * Convert elements of any type to float32: half-precision types are widened exactly, int64 is rounded.
 *
 * @param target Takes the values, where it is given; nothing else is allocated then.
 * @returns The target; without one float32 data itself, or a new array.
 */
export function toFloat32(type: DataType, data: TypedArray, target?: Float32Array): Float32Array {
  if (!target && data instanceof Float32Array) return data;
  const values = target ?? new Float32Array(data.length);
  if (type === "bfloat16") return widenBfloat16(data as Uint16Array, values);
  if (data instanceof BigInt64Array) data.forEach((value, i) => values[i] = Number(value));
  else values.set(data as ArrayLike<number>);
  return values;
}
