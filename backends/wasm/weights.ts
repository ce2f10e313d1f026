// A model's parameters for ONNX Runtime in WebAssembly. Think of each parameter as being in one of two places: copied into the one
// session that reads it, which may pack it, or in the memory, where all programs read it and some may write it. It moves to the
// memory when a second program reads it, and when it is trained or replaced.
import type { OpenOptions } from "../../src/graph/mod.ts";
import { isFloat, toFloat32 } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { SessionWeights } from "../onnx/session/mod.ts";
import type { WasmRuntime } from "./wasm_runtime.ts";

/** Parameters on the wasm backend. */
export class WasmWeights extends SessionWeights {
  #compiling: Promise<unknown> = Promise.resolve();

  constructor(readonly runtime: WasmRuntime, source: StoredWeights, options: OpenOptions) {
    super(runtime, source, options);
  }

  /** Whether a program reads a parameter from the memory. */
  isInMemory(name: string): boolean {
    return this.isReplaced(name) || this.options.lowMemory === true;
  }

  protected override isReplaced(name: string): boolean {
    return this.held.has(name) || this.isTrained(name);
  }

  /** Move parameters to the memory that other programs have copies of: those are compiled again. */
  async share(names: Iterable<string>): Promise<void> {
    const wanted = new Set(names);
    for (const reader of this.readers) {
      const common = reader.fromMemory.intersection(wanted);
      for (const name of common) await this.hold(name);
      if (common.size > 0) await reader.reload();
    }
  }

  /** Do work on the programs of these weights, one at a time. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#compiling.then(work);
    this.#compiling = done.catch(() => {});
    return done;
  }

  /** The bytes of a parameter that is not in the memory, float32 if it is a floating-point number. */
  async bytesOf(name: string): Promise<Uint8Array> {
    const { dataType, data } = await this.source.get(name)!.load();
    const { buffer, byteOffset, byteLength } = isFloat(dataType) ? toFloat32(dataType, data) : data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
}
