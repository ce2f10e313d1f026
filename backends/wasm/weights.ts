// A model's parameters for ONNX Runtime in WebAssembly. Think of each parameter as being in one of two places: copied into the one
// session that reads it, which may pack it, or in the memory, where all programs read it and some may write it. It moves to the
// memory when a second program reads it, and when it is trained or replaced.
import { BackendError, ShapeError } from "../../src/errors/mod.ts";
import type { OpenOptions, Weights } from "../../src/graph/mod.ts";
import { isFloat, sizeOf, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { type CompiledSession, fillValue, type ParameterReader, RuntimeTensor } from "../onnx/session/mod.ts";
import type { SessionWeights } from "../onnx/session/mod.ts";
import type { WasmRuntime } from "./wasm_runtime.ts";

/** Parameters on the wasm backend. */
export class WasmWeights implements Weights, SessionWeights {
  readonly readers = new Set<ParameterReader>();
  readonly #held = new Map<string, RuntimeTensor>();
  readonly #trained = new Set<string>();
  /** The number of times that parameters have changed. */
  version = 0;
  #compiling: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(readonly runtime: WasmRuntime, readonly source: StoredWeights, readonly options: OpenOptions) {
    for (const name of source.keys()) if (options.trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
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
  async hold(name: string): Promise<RuntimeTensor> {
    this.checkOpen(`"${name}"`);
    const held = this.#held.get(name);
    if (held) return held;
    const stored = await this.source.get(name)!.load();
    this.checkOpen(`"${name}"`);
    return this.#held.get(name) ?? this.#allocate(name, stored);
  }

  /** The bytes of a parameter that is not in the memory, float32 if it is a floating-point number. */
  async bytesOf(name: string): Promise<Uint8Array> {
    const { dataType, data } = await this.source.get(name)!.load();
    const { buffer, byteOffset, byteLength } = isFloat(dataType) ? toFloat32(dataType, data) : data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  async read(name: string): Promise<Tensor> {
    const held = this.#held.get(name);
    if (!held) return await this.source.get(name)!.load();
    const data = await this.runtime.work.settled(() => {
      held.checkLive();
      return held.value.read(sizeOf(held.capacity));
    });
    return new Tensor(held.dataType, held.capacity, data);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.checkOpen(`"${name}"`);
    await this.runtime.work.settled(() => {
      const held = this.#held.get(name) ?? this.#allocate(name, tensor);
      held.checkLive();
      fillValue(held.value, tensor);
      this.markWritten([name]);
    });
  }

  forget(names: Iterable<string>): Promise<void> {
    return this.runtime.work.settled(() => {
      for (const name of names) {
        this.#release(name);
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
    if (this.#disposed) throw new BackendError(`Cannot use ${what}: the weights were released`, "wasm");
  }

  #allocate(name: string, tensor: Tensor): RuntimeTensor {
    const held = new RuntimeTensor(this.runtime, isFloat(tensor.dataType) ? "float32" : tensor.dataType, tensor.shape);
    this.#held.set(name, held);
    this.runtime.counters.weightBytes += held.value.byteLength;
    fillValue(held.value, tensor);
    return held;
  }

  #release(name: string): void {
    const held = this.#held.get(name);
    if (!held) return;
    this.runtime.counters.weightBytes -= held.value.byteLength;
    held[Symbol.dispose]();
    this.#held.delete(name);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const name of [...this.#held.keys()]) this.#release(name);
  }
}
