// Tensors in the WebAssembly's memory. It may be another array after it has grown, so that views of it are made anew each time.
import { bytesPerElement, type DataType, sizeOf, type TypedArray, viewArray } from "../../src/tensor/mod.ts";
import { onnxTypes } from "../onnx/mod.ts";
import { type Bindable, HostValue } from "../onnx/session/mod.ts";
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
export class WasmValue extends HostValue {
  readonly #address: number;
  readonly #size: number;
  readonly #whole: WasmView;
  #released = false;

  constructor(readonly runtime: OrtInstance, readonly dataType: DataType, readonly shape: readonly number[]) {
    super();
    this.#size = sizeOf(shape);
    const bytes = this.#size * bytesPerElement(dataType);
    // An address is needed where there are no elements, too.
    this.#address = runtime.memory(Math.max(bytes, 1), `allocate ${dataType} [${shape}]`);
    this.#whole = new WasmView(runtime, dataType, shape, this.#address);
    runtime.counters.deviceBytes += bytes;
  }

  /** What the runtime knows it by. */
  get handle(): number {
    return this.#whole.handle;
  }

  protected override get elements(): TypedArray {
    return viewArray(this.dataType, this.runtime.ort.HEAPU8.buffer, this.#address, this.#size);
  }

  view(shape: readonly number[], offset: number): WasmView {
    return new WasmView(this.runtime, this.dataType, shape, this.#address + offset * bytesPerElement(this.dataType));
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { runtime, byteLength } = this;
    this.#whole.release();
    runtime.work.afterwards(() => {
      runtime.ort._free(this.#address);
      runtime.counters.deviceBytes -= byteLength;
    });
  }
}
