// Tensors in a device's memory. JavaScript never sees them: what goes in and out is copied by the device's sessions.
import { BackendError } from "../../../src/errors/mod.ts";
import type { RowCopies } from "../../../src/graph/mod.ts";
import { allocateArray, bytesPerElement, type DataType, sizeOf, type TypedArray } from "../../../src/tensor/mod.ts";
import type { RuntimeValue } from "../../onnx/session/mod.ts";
import { type OrtBindable, OrtValue } from "../ort_value.ts";
import type { DeviceMemory } from "./device_memory.ts";

/** An OrtValue in a device's memory. */
export class DeviceValue implements RuntimeValue, OrtBindable {
  readonly pointer: Deno.PointerObject;
  readonly byteLength: number;
  readonly #size: number;
  #released = false;

  constructor(readonly memory: DeviceMemory, readonly dataType: DataType, readonly shape: readonly number[]) {
    this.pointer = memory.allocate(dataType, shape);
    this.#size = sizeOf(shape);
    this.byteLength = this.#size * bytesPerElement(dataType);
    const { counters } = memory.library;
    counters.liveHandles++;
    counters.deviceBytes += this.byteLength;
  }

  /** Set every byte to zero. */
  clear(): void {
    this.write(allocateArray(this.dataType, this.#size), 0);
  }

  write(data: TypedArray, offset: number): void {
    if (data.length === 0) return;
    const host = new OrtValue(this.memory.library, this.dataType, [data.length]);
    host.write(data, 0);
    this.#put(host.pointer, data.length, offset);
    host.release();
  }

  read(size: number, into?: TypedArray): TypedArray {
    const host = new OrtValue(this.memory.library, this.dataType, [size]);
    if (size > 0) this.#flat(0, size, (view) => this.memory.copy(this.dataType, view, host.pointer));
    const data = host.read(size, into);
    host.release();
    return data;
  }

  copy(source: DeviceValue, offset: number): void {
    const size = sizeOf(source.shape);
    if (size > 0) source.#flat(0, size, (view) => this.#put(view, size, offset));
  }

  copyRows(source: DeviceValue, { rows, axis, length }: RowCopies): void {
    const [count, sources] = [this.shape[0], source.shape[0]];
    const from = Array.from({ length: count }, (_, row) => row);
    for (const [row, to] of rows) from[to] = count + row;
    const { memory, dataType, shape } = this;
    using made = new Pointer(memory, memory.allocate(dataType, shape));
    const bound = { x: this.pointer, source: source.pointer, y: made.pointer };
    memory.gatherRows(dataType, bound, { shape, sources, from, axis, length });
    this.#take(made.pointer);
  }

  view(shape: readonly number[], offset: number): OrtBindable {
    if (offset !== 0 && !this.memory.kind.hasAddresses) {
      throw new BackendError(
        `Cannot bind a part of a buffer on the device "${this.memory.device.name}": its buffers are handles`,
        "ffi",
      );
    }
    return new Pointer(this.memory, this.memory.view(this.pointer, this.dataType, shape, offset));
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { library } = this.memory;
    library.release(() => {
      library.api.releaseValue(this.pointer);
      library.counters.deviceBytes -= this.byteLength;
    });
  }

  /** Overwrite elements `offset` and on with a tensor of `count`. */
  #put(part: Deno.PointerObject, count: number, offset: number): void {
    const { memory, dataType } = this;
    const isWhole = offset === 0 && count === this.#size;
    if (isWhole || memory.kind.hasAddresses) {
      return this.#flat(offset, count, (view) => memory.copy(dataType, part, view));
    }
    const size = this.#size;
    using made = new Pointer(memory, memory.allocate(dataType, [size]));
    this.#flat(0, size, (x) => memory.put(dataType, { x, part, y: made.pointer }, { size, count, offset }));
    this.#take(made.pointer);
  }

  /** Take all elements of a tensor of as many. */
  #take(made: Deno.PointerObject): void {
    const { memory, dataType } = this;
    using flat = new Pointer(memory, memory.view(made, dataType, [this.#size], 0));
    this.#flat(0, this.#size, (view) => memory.copy(dataType, flat.pointer, view));
  }

  #flat(offset: number, size: number, use: (view: Deno.PointerObject) => void): void {
    using view = new Pointer(this.memory, this.memory.view(this.pointer, this.dataType, [size], offset));
    use(view.pointer);
  }
}

/** An OrtValue that is not counted as a tensor, until it is released. */
class Pointer implements OrtBindable, Disposable {
  #released = false;

  constructor(readonly memory: DeviceMemory, readonly pointer: Deno.PointerObject) {
    memory.library.counters.liveHandles++;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.memory.library.release(() => this.memory.library.api.releaseValue(this.pointer));
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
