// Tensors in memory that ONNX Runtime allocated, seen from JavaScript through a view that copies nothing.
import { bytesPerElement, type DataType, sizeOf, type TypedArray, viewArray } from "../../src/tensor/mod.ts";
import { onnxTypes } from "../onnx/mod.ts";
import { type Bindable, HostValue } from "../onnx/session/mod.ts";
import { OutPointer, type Runtime } from "./runtime.ts";

/** Something that the library knows as an OrtValue. */
export interface OrtBindable extends Bindable {
  readonly pointer: Deno.PointerObject;
}

/** An OrtValue that owns its memory. */
export class OrtValue extends HostValue implements OrtBindable {
  protected override readonly elements: TypedArray;
  readonly pointer: Deno.PointerObject;
  readonly #address: Deno.PointerObject;
  #released = false;

  constructor(readonly runtime: Runtime, readonly dataType: DataType, readonly shape: readonly number[]) {
    super();
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
    this.elements = viewArray(dataType, buffer, 0, sizeOf(shape));
    runtime.counters.liveHandles++;
    runtime.counters.deviceBytes += bytes;
  }

  view(shape: readonly number[], offset: number): OrtView {
    const address = Deno.UnsafePointer.offset(this.#address, offset * bytesPerElement(this.dataType))!;
    return new OrtView(this.runtime, this.dataType, shape, address);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { runtime, pointer, byteLength } = this;
    runtime.release(() => {
      runtime.api.releaseValue(pointer);
      runtime.counters.deviceBytes -= byteLength;
    });
  }
}

/** An OrtValue over memory that something else owns. */
export class OrtView implements OrtBindable {
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

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.runtime.release(() => this.runtime.api.releaseValue(this.pointer));
  }
}
