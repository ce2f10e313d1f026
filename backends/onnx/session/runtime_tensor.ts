// Tensors of a runtime as the seam knows them: a buffer with a place of its own, whatever value is there.
import { BackendError } from "../../../src/errors/mod.ts";
import type { DeviceTensor } from "../../../src/graph/mod.ts";
import type { DataType } from "../../../src/tensor/mod.ts";
import type { OnnxRuntime, RuntimeValue } from "./runtime.ts";

/** A buffer that programs are bound to. A value that is assigned at the end of a run replaces the old one. */
export class RuntimeTensor implements DeviceTensor {
  #value: RuntimeValue;
  #released = false;

  /** @param isOverwritten Whether all of it is written before it is read; else it is zero at first. */
  constructor(
    readonly runtime: OnnxRuntime,
    readonly dataType: DataType,
    readonly capacity: readonly number[],
    isOverwritten = false,
  ) {
    this.#value = isOverwritten ? runtime.allocate(dataType, capacity) : runtime.allocateZeros(dataType, capacity);
  }

  /** The value that is in the buffer now; work that is queued may replace it. */
  get value(): RuntimeValue {
    return this.#value;
  }

  /** Put a value in the place of the present one. @returns The present one. */
  swap(value: RuntimeValue): RuntimeValue {
    const old = this.#value;
    this.#value = value;
    return old;
  }

  /** @throws {BackendError} If the buffer was released: its memory may be in use for something else. */
  checkLive(): void {
    if (!this.#released) return;
    const what = `a buffer for ${this.dataType} [${this.capacity}]`;
    throw new BackendError(`Cannot use ${what}: it was released`, this.runtime.name);
  }

  [Symbol.dispose](): void {
    this.#released = true;
    this.#value.release();
  }
}
