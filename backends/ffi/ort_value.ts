// Tensors in memory that ONNX Runtime allocated, seen from JavaScript through a view that copies nothing.
import { BackendError } from "../../src/errors/mod.ts";
import type { DeviceTensor } from "../../src/graph/mod.ts";
import { bytesPerElement, type DataType, sizeOf, type TypedArray, viewArray } from "../../src/tensor/mod.ts";
import { onnxTypes } from "../onnx/mod.ts";
import { OutPointer, type Runtime } from "./runtime.ts";

/** An OrtValue that owns its memory. */
export class OrtValue {
  /** The elements, in ONNX Runtime's memory. */
  readonly data: TypedArray;
  readonly pointer: Deno.PointerObject;
  readonly #address: Deno.PointerObject;
  #released = false;

  constructor(readonly runtime: Runtime, readonly dataType: DataType, readonly shape: readonly number[]) {
    const { api } = runtime;
    const lengths = BigInt64Array.from(shape, BigInt);
    this.pointer = runtime.create(
      `allocate ${dataType} [${shape}]`,
      (out) => api.createTensorAsOrtValue(runtime.allocator, lengths, BigInt(shape.length), onnxTypes[dataType], out),
    );
    const address = new OutPointer();
    runtime.check(
      api.getTensorMutableData(this.pointer, address.buffer as BigUint64Array<ArrayBuffer>),
      "find a tensor",
    );
    // A tensor without elements has no memory; any address will do for what is not read.
    this.#address = sizeOf(shape) === 0 ? this.pointer : address.value;
    const bytes = sizeOf(shape) * bytesPerElement(dataType);
    const buffer = bytes === 0 ? new ArrayBuffer(0) : Deno.UnsafePointerView.getArrayBuffer(this.#address, bytes);
    this.data = viewArray(dataType, buffer, 0, sizeOf(shape));
    runtime.counters.liveHandles++;
    runtime.counters.deviceBytes += bytes;
  }

  /** The address of an element. */
  at(element: number): Deno.PointerObject {
    return Deno.UnsafePointer.offset(this.#address, element * bytesPerElement(this.dataType))!;
  }

  /** Release the memory; twice does no harm. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { runtime, pointer, data: { byteLength } } = this;
    runtime.release(() => {
      runtime.api.releaseValue(pointer);
      runtime.counters.deviceBytes -= byteLength;
    });
  }
}

/** An OrtValue over memory that something else owns. */
export class OrtView {
  readonly pointer: Deno.PointerObject;
  #released = false;

  constructor(readonly runtime: Runtime, dataType: DataType, shape: readonly number[], address: Deno.PointerObject) {
    const { api, memoryInfo } = runtime;
    const lengths = BigInt64Array.from(shape, BigInt);
    const bytes = BigInt(sizeOf(shape) * bytesPerElement(dataType));
    const [rank, type] = [BigInt(shape.length), onnxTypes[dataType]];
    this.pointer = runtime.create(
      `view [${shape}]`,
      (out) => api.createTensorWithDataAsOrtValue(memoryInfo, address, bytes, lengths, rank, type, out),
    );
    runtime.counters.liveHandles++;
  }

  /** Release the view, not the memory; twice does no harm. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.runtime.release(() => this.runtime.api.releaseValue(this.pointer));
  }
}

/** A buffer that programs are bound to. A value that is assigned at the end of a run replaces the old one. */
export class OrtTensor implements DeviceTensor {
  value: OrtValue;
  #released = false;

  constructor(runtime: Runtime, readonly dataType: DataType, readonly capacity: readonly number[]) {
    this.value = new OrtValue(runtime, dataType, capacity);
    const { data } = this.value;
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength).fill(0);
  }

  /**
   * The elements.
   *
   * @throws {BackendError} If the buffer was released: its memory may be in use for something else.
   */
  get data(): TypedArray {
    this.checkLive();
    return this.value.data;
  }

  /** @throws {BackendError} If the buffer was released. */
  checkLive(): void {
    if (this.#released) {
      throw new BackendError(`Cannot use a buffer for ${this.dataType} [${this.capacity}]: it was released`, "ffi");
    }
  }

  [Symbol.dispose](): void {
    this.#released = true;
    this.value.release();
  }
}
