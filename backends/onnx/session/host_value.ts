// A tensor whose memory JavaScript can see, be it the host's or a WebAssembly's.
import type { RowCopies } from "../../../src/graph/mod.ts";
import { copyArray, copyRows, type DataType, type TypedArray } from "../../../src/tensor/mod.ts";
import type { Bindable, RuntimeValue } from "./runtime.ts";

/** A value that is read and written through a view of its elements. */
export abstract class HostValue implements RuntimeValue {
  abstract readonly dataType: DataType;
  abstract readonly shape: readonly number[];

  /** The elements where they are now: a memory that grows may move them. */
  protected abstract get elements(): TypedArray;

  get byteLength(): number {
    return this.elements.byteLength;
  }

  /** Set every byte to zero. */
  clear(): void {
    const { buffer, byteOffset, byteLength } = this.elements;
    new Uint8Array(buffer, byteOffset, byteLength).fill(0);
  }

  write(data: TypedArray, offset: number): void {
    this.elements.set(data as never, offset);
  }

  read(size: number, into?: TypedArray): TypedArray {
    return copyArray(this.elements.subarray(0, size), into);
  }

  copy(source: HostValue, offset: number): void {
    this.write(source.elements, offset);
  }

  copyRows(source: HostValue, copies: RowCopies): void {
    const { elements } = this;
    copyRows(source.shape, source === this ? elements : source.elements, elements, copies);
  }

  abstract view(shape: readonly number[], offset: number): Bindable;
  abstract release(): void;
}
