// A model's parameters for ONNX Runtime in WebAssembly. Think of each parameter as being in one of two places: copied into the one
// session that reads it, which may pack it, or in the memory, where all programs read it and some may write it. It moves to the
// memory when a second program reads it, and when it is trained or replaced.
import type { OpenOptions, Weights } from "../../src/graph/mod.ts";
import { isFloat, type Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import {
  type CompiledSession,
  HeldParameters,
  type ParameterReader,
  type RuntimeTensor,
  type SessionWeights,
} from "../onnx/session/mod.ts";
import type { WasmRuntime } from "./wasm_runtime.ts";

/** Parameters on the wasm backend. */
export class WasmWeights implements Weights, SessionWeights {
  readonly readers = new Set<ParameterReader>();
  readonly #held: HeldParameters;
  readonly #trained = new Set<string>();
  /** The number of times that parameters have changed. */
  version = 0;
  #compiling: Promise<unknown> = Promise.resolve();

  constructor(readonly runtime: WasmRuntime, readonly source: StoredWeights, readonly options: OpenOptions) {
    this.#held = new HeldParameters(runtime, source);
    for (const name of source.keys()) if (options.trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      this.#held.checkName(name);
      await this.hold(name);
      this.#trained.add(name);
      await this.runtime.work.settled(() => this.markWritten([name]));
    }
  }

  /** Whether a program reads a parameter from the memory. */
  isInMemory(name: string): boolean {
    return this.#held.has(name) || this.#trained.has(name) || this.options.lowMemory === true;
  }

  /** Move parameters to the memory that other programs have copies of: those are compiled again. */
  async share(names: Iterable<string>): Promise<void> {
    const wanted = new Set(names);
    for (const reader of this.readers) {
      const common = reader.fromMemory.intersection(wanted);
      for (const name of common) await this.hold(name);
      if (common.size > 0) await reader.reload(reader.packed);
    }
  }

  /** Do work on the programs of these weights, one at a time. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#compiling.then(work);
    this.#compiling = done.catch(() => {});
    return done;
  }

  /** A parameter in the memory, float32 if it is a floating-point number. */
  hold(name: string): Promise<RuntimeTensor> {
    return this.#held.hold(name);
  }

  /** The bytes of a parameter that is not in the memory, float32 if it is a floating-point number. */
  async bytesOf(name: string): Promise<Uint8Array> {
    const { dataType, data } = await this.source.get(name)!.load();
    const { buffer, byteOffset, byteLength } = isFloat(dataType) ? toFloat32(dataType, data) : data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  read(name: string): Promise<Tensor> {
    return this.#held.read(name);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    this.#held.checkReplacement(name, tensor);
    await this.runtime.work.settled(() => {
      this.#held.put(name, tensor);
      this.markWritten([name]);
    });
  }

  forget(names: Iterable<string>): Promise<void> {
    return this.runtime.work.settled(() => {
      for (const name of names) {
        this.#held.forget(name);
        this.#trained.delete(name);
      }
    });
  }

  markWritten(names: Iterable<string>): void {
    for (const name of names) {
      this.version++;
      for (const reader of this.readers) if (reader.fromMemory.has(name)) reader.dropSession();
    }
  }

  isCurrent({ version, fromMemory }: Pick<CompiledSession, "version" | "fromMemory">): boolean {
    return version === this.version || fromMemory.size === 0;
  }

  leave(reader: ParameterReader): void {
    this.readers.delete(reader);
  }

  checkOpen(what: string): void {
    this.#held.checkOpen(what);
  }

  [Symbol.dispose](): void {
    this.#held[Symbol.dispose]();
  }
}
