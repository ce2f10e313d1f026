// Tensors in memory that ONNX Runtime allocated, seen from JavaScript through a view that copies nothing.
import { bytesPerElement, type DataType, sizeOf, type TypedArray, viewArray } from "../../src/tensor/mod.ts";
import { onnxTypes } from "../onnx/mod.ts";
import { type Bindable, HostValue } from "../onnx/session/mod.ts";
import { OutPointer, type OwnedMemory, type Runtime } from "./runtime.ts";

/** Something that the library knows as an OrtValue. */
export interface OrtBindable extends Bindable {
  readonly pointer: Deno.PointerObject;
}

/** An OrtValue that owns its memory. */
export class OrtValue extends HostValue implements OrtBindable {
  override readonly elements: TypedArray;
  readonly pointer: Deno.PointerObject;
  readonly #address: Deno.PointerObject;
  readonly #free: (() => void) | undefined;
  #released = false;

  /** @param given Memory for it, and what gives that back. @default the library's, with undefined elements */
  constructor(
    readonly runtime: Runtime,
    readonly dataType: DataType,
    readonly shape: readonly number[],
    given?: OwnedMemory,
  ) {
    super();
    const bytes = sizeOf(shape) * bytesPerElement(dataType);
    this.#free = given?.free;
    if (given) {
      this.pointer = createView(runtime, dataType, shape, given.address);
      this.#address = given.address;
    } else {
      this.pointer = runtime.create(`allocate ${dataType} [${shape}]`, (out) => {
        const lengths = BigInt64Array.from(shape, BigInt);
        const [allocate, rank] = [runtime.api.createTensorAsOrtValue, BigInt(shape.length)];
        return allocate(runtime.allocator, lengths, rank, onnxTypes[dataType], out);
      });
      const address = new OutPointer();
      runtime.check(
        runtime.api.getTensorMutableData(this.pointer, address.buffer as BigUint64Array<ArrayBuffer>),
        "find a tensor",
      );
      // A tensor without elements has no memory; any address will do for what is not read.
      this.#address = bytes === 0 ? this.pointer : address.value;
    }
    const buffer = bytes === 0 ? new ArrayBuffer(0) : Deno.UnsafePointerView.getArrayBuffer(this.#address, bytes);
    this.elements = viewArray(dataType, buffer, 0, sizeOf(shape));
    runtime.counters.liveHandles++;
    runtime.counters.deviceBytes += bytes;
  }

  /**
   * A value of zeros. Where the C library can be asked for them, pages of a large one take no memory until they are written: so
   * not the keys and values of a text while its picture is encoded, nor positions that it does not reach.
   */
  static zeros(runtime: Runtime, dataType: DataType, shape: readonly number[]): OrtValue {
    const bytes = sizeOf(shape) * bytesPerElement(dataType);
    const given = bytes === 0 ? undefined : runtime.zeros(bytes);
    const value = new OrtValue(runtime, dataType, shape, given);
    if (!given) value.clear();
    return value;
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
      this.#free?.();
      runtime.counters.deviceBytes -= byteLength;
    });
  }
}

/** Make an OrtValue over memory that it does not own. */
function createView(
  runtime: Runtime,
  dataType: DataType,
  shape: readonly number[],
  address: Deno.PointerObject,
): Deno.PointerObject {
  const { api, memoryInfo } = runtime;
  const lengths = BigInt64Array.from(shape, BigInt);
  const bytes = BigInt(sizeOf(shape) * bytesPerElement(dataType));
  const [rank, type] = [BigInt(shape.length), onnxTypes[dataType]];
  return runtime.create(
    `view [${shape}]`,
    (out) => api.createTensorWithDataAsOrtValue(memoryInfo, address, bytes, lengths, rank, type, out),
  );
}

/** An OrtValue over memory that something else owns. */
export class OrtView implements OrtBindable {
  readonly pointer: Deno.PointerObject;
  #released = false;

  constructor(readonly runtime: Runtime, dataType: DataType, shape: readonly number[], address: Deno.PointerObject) {
    this.pointer = createView(runtime, dataType, shape, address);
    runtime.counters.liveHandles++;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.runtime.release(() => this.runtime.api.releaseValue(this.pointer));
  }
}
