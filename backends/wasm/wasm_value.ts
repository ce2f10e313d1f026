// Tensors in the WebAssembly's memory. It may be another array after it has grown, so that views of it are made anew each time.
import type { RowCopies } from "../../src/graph/mod.ts";
import {
  bytesPerElement,
  copyArray,
  copyRows,
  type DataType,
  sizeOf,
  type TypedArray,
  viewArray,
} from "../../src/tensor/mod.ts";
import { onnxTypes } from "../onnx/mod.ts";
import type { Bindable, RuntimeValue } from "../onnx/session/mod.ts";
import type { OrtInstance } from "./ort_instance.ts";

/** ONNX Runtime's number of the CPU's memory. */
const inCpuMemory = 1;

/** An OrtValue over memory. */
export class WasmView implements Bindable {
  readonly handle: number;
  #released = false;

  constructor(readonly runtime: OrtInstance, dataType: DataType, shape: readonly number[], address: number) {
    const { ort } = runtime;
    const stack = ort.stackSave();
    const lengths = ort.stackAlloc(4 * shape.length);
    ort.HEAPU32.set(shape, lengths / 4);
    const bytes = sizeOf(shape) * bytesPerElement(dataType);
    this.handle = ort._OrtCreateTensor(onnxTypes[dataType], address, bytes, lengths, shape.length, inCpuMemory);
    ort.stackRestore(stack);
    if (this.handle === 0) runtime.fail(`view ${dataType} [${shape}]`);
    runtime.counters.liveHandles++;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.runtime.release(() => this.runtime.ort._OrtReleaseTensor(this.handle));
  }
}

/** A tensor with memory of its own. */
export class WasmValue implements RuntimeValue {
  readonly byteLength: number;
  readonly #address: number;
  readonly #size: number;
  readonly #whole: WasmView;
  #released = false;

  constructor(readonly runtime: OrtInstance, readonly dataType: DataType, readonly shape: readonly number[]) {
    this.#size = sizeOf(shape);
    this.byteLength = this.#size * bytesPerElement(dataType);
    // An address is needed where there are no elements, too.
    this.#address = runtime.memory(Math.max(this.byteLength, 1), `allocate ${dataType} [${shape}]`);
    this.#whole = new WasmView(runtime, dataType, shape, this.#address);
    runtime.counters.deviceBytes += this.byteLength;
  }

  /** What the runtime knows it by. */
  get handle(): number {
    return this.#whole.handle;
  }

  get #data(): TypedArray {
    return viewArray(this.dataType, this.runtime.ort.HEAPU8.buffer, this.#address, this.#size);
  }

  clear(): void {
    this.runtime.ort.HEAPU8.fill(0, this.#address, this.#address + this.byteLength);
  }

  write(data: TypedArray, offset: number): void {
    this.#data.set(data as never, offset);
  }

  read(size: number, into?: TypedArray): TypedArray {
    return copyArray(this.#data.subarray(0, size), into);
  }

  copy(source: WasmValue, offset: number): void {
    this.write(source.#data, offset);
  }

  copyRows(source: WasmValue, copies: RowCopies): void {
    const data = this.#data;
    copyRows(source.shape, source === this ? data : source.#data, data, copies);
  }

  view(shape: readonly number[], offset: number): WasmView {
    return new WasmView(this.runtime, this.dataType, shape, this.#address + offset * bytesPerElement(this.dataType));
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { runtime } = this;
    this.#whole.release();
    runtime.work.afterwards(() => {
      runtime.ort._free(this.#address);
      runtime.counters.deviceBytes -= this.byteLength;
    });
  }
}
