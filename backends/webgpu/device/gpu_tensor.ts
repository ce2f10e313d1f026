// A tensor on the GPU, and the conversion between host arrays and device words: 64 bits become 32, narrow types become words,
// half precision becomes single, but where the device computes with it.
import { ShapeError } from "../../../src/errors/mod.ts";
import type { DeviceTensor } from "../../../src/graph/mod.ts";
import {
  allocateArray,
  copyArray,
  type DataType,
  sizeOf,
  Tensor,
  toFloat32,
  type TypedArray,
} from "../../../src/tensor/mod.ts";
import { toBfloat16 } from "../../../src/tensor/mod.ts";
import type { BufferPool, Lease } from "./buffer_pool.ts";
import { elementType } from "../kernels/shader.ts";

/** A tensor on the GPU: one word an element, or half of one. */
export class GpuTensor implements DeviceTensor {
  readonly #lease: Lease;
  /** The bytes of an element. */
  readonly elementBytes: 2 | 4;
  #live = true;

  /** @param float16 Whether float16 has 16 bits on the device. */
  constructor(
    buffers: BufferPool,
    readonly dataType: DataType,
    readonly capacity: readonly number[],
    { float16 }: { readonly float16: boolean },
  ) {
    this.elementBytes = float16 && dataType === "float16" ? 2 : 4;
    this.#lease = buffers.take(this.elementBytes * sizeOf(capacity));
  }

  /** @throws {ShapeError} If the tensor was disposed: the buffer may be another's by now. */
  get buffer(): GPUBuffer {
    this.check();
    return this.#lease.buffer;
  }

  /** The elements of the capacity. */
  get size(): number {
    return sizeOf(this.capacity);
  }

  /** @throws {ShapeError} If the tensor was disposed. */
  check(): void {
    if (!this.#live) throw new ShapeError(`Cannot use a ${this.dataType} [${this.capacity}] tensor: it was disposed`);
  }

  [Symbol.dispose](): void {
    this.#lease[Symbol.dispose]();
    this.#live = false;
  }
}

/**
 * Whole words of elements of 16 bits.
 *
 * @param ends Whether they are a tensor's last, after which there may be anything.
 * @throws {ShapeError} If they begin or end within a word.
 */
export function toHalves(data: TypedArray, offset: number, ends: boolean): Uint8Array {
  if (offset % 2 !== 0 || data.length % 2 !== 0 && !ends) {
    throw new ShapeError(
      `Cannot write ${data.length} elements of float16 at ${offset}: a GPU is written in words, which have two of them`,
    );
  }
  if (data.length % 2 === 0) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const words = new Uint16Array(data.length + 1);
  words.set(new Uint16Array(data.buffer, data.byteOffset, data.length));
  return new Uint8Array(words.buffer);
}

/**
 * Elements as the device holds them: one word for each.
 *
 * @param memory Returns memory of so many bytes where elements must be converted. @default a new array
 * @returns The elements' own bytes where they are words.
 */
export function toDevice(
  dataType: DataType,
  data: TypedArray,
  memory: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes),
): Uint8Array {
  const type = elementType(dataType);
  const isWords = type === "f32" ? data instanceof Float32Array : data instanceof Int32Array;
  if (isWords) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const buffer = memory(4 * data.length);
  if (type === "f32") toFloat32(dataType, data, new Float32Array(buffer, 0, data.length));
  else {
    const words = new (type === "u32" ? Uint32Array : Int32Array)(buffer, 0, data.length);
    for (let i = 0; i < data.length; i++) words[i] = Number(data[i]);
  }
  return new Uint8Array(buffer, 0, 4 * data.length);
}

/**
 * A host tensor from the device's words.
 *
 * @param words They are copied; others may follow.
 * @param into Memory for the elements. @default a new array
 */
export function fromDevice(
  { dataType, elementBytes }: Pick<GpuTensor, "dataType" | "elementBytes">,
  shape: readonly number[],
  words: ArrayBuffer,
  into?: TypedArray,
): Tensor {
  const size = sizeOf(shape);
  if (elementBytes === 2) return new Tensor(dataType, shape, copyArray(new Float16Array(words, 0, size), into));
  if (dataType === "float32") return new Tensor(dataType, shape, copyArray(new Float32Array(words, 0, size), into));
  const type = elementType(dataType);
  const source = type === "f32"
    ? new Float32Array(words, 0, size)
    : type === "i32"
    ? new Int32Array(words, 0, size)
    : new Uint32Array(words, 0, size);
  const data = into?.subarray(0, size) ?? allocateArray(dataType, size);
  const convert = dataType === "int64" ? BigInt : dataType === "bfloat16" ? toBfloat16 : Number;
  for (let i = 0; i < size; i++) data[i] = convert(source[i]) as never;
  return new Tensor(dataType, shape, data);
}
