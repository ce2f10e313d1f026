// A model's parameters as they are stored, [out, in] as torch.nn.Linear has them: left in their file where they lie there
// as float32, so that all sessions read the same pages; else held once in ONNX Runtime's memory.
import { BackendError, ShapeError } from "../../src/errors.ts";
import type { OpenOptions, ParameterSource, Weights } from "../../src/graph/mod.ts";
import { isFloat, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { ExternalData } from "../onnx/mod.ts";
import type { Runtime } from "./runtime.ts";
import { OrtTensor } from "./value.ts";

/** A program as its weights see it. */
export interface Reader {
  /** Whether the program's session reads a parameter from its file. */
  readsFile(name: string): boolean;
  /** Compile anew, since parameters are elsewhere. */
  reload(): Promise<void>;
}

/** A folder and a file in it. */
function splitPath(path: string): [folder: string, file: string] {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, at) || "/", path.slice(at + 1)];
}

/** Parameters on the ffi backend. */
export class FfiWeights implements Weights {
  /** The programs that were compiled with these weights. */
  readonly readers = new Set<Reader>();
  readonly #held = new Map<string, OrtTensor>();
  /** The bytes of parameters that sessions read from the file. */
  readonly #external = new Map<string, number>();
  /** Parameters that have another value than their file. */
  readonly #changed = new Set<string>();
  readonly #folder: string | undefined;
  #disposed = false;

  constructor(readonly runtime: Runtime, readonly source: ParameterSource, readonly options: OpenOptions) {
    for (const { region } of source.parameters.values()) {
      if (region) this.#folder ??= splitPath(region.path)[0];
    }
  }

  /** The folder that external data is relative to. */
  get folder(): string | undefined {
    return this.#folder;
  }

  /** Where a parameter lies in a file that a session can read it from; undefined where it must be held. */
  external(name: string): ExternalData | undefined {
    const info = this.source.parameters.get(name);
    if (!info?.region || info.dataType !== "float32" || this.options.trainable || this.#changed.has(name)) return;
    const [folder, file] = splitPath(info.region.path);
    // A session knows one folder; a file that is elsewhere is read into memory.
    if (folder !== this.#folder) return;
    return { file, offset: info.region.offset, byteLength: info.region.byteLength };
  }

  /** Count what a session reads from the file, once for all sessions. */
  countExternal(name: string, byteLength: number): void {
    if (this.#external.has(name)) return;
    this.#external.set(name, byteLength);
    this.runtime.counters.weightBytes += byteLength;
  }

  /** A parameter in memory, float32 if it is a floating-point number. */
  async hold(name: string): Promise<OrtTensor> {
    this.#checkOpen(name);
    const held = this.#held.get(name);
    if (held) return held;
    const stored = await this.source.read(name);
    this.#checkOpen(name);
    return this.#held.get(name) ?? this.#allocate(name, stored);
  }

  async read(name: string): Promise<Tensor> {
    await this.runtime.settle();
    const held = this.#held.get(name);
    if (!held) return await this.source.read(name);
    return new Tensor(held.dataType, held.capacity, held.data.slice());
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.parameters.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.#checkOpen(name);
    const held = this.#held.get(name);
    if (held) {
      this.runtime.queue(() => this.#fill(held, tensor));
      return await this.runtime.settle();
    }
    await this.runtime.settle();
    this.#changed.add(name);
    this.#allocate(name, tensor);
    this.runtime.counters.weightBytes -= this.#external.get(name) ?? 0;
    this.#external.delete(name);
    for (const reader of this.readers) if (reader.readsFile(name)) await reader.reload();
  }

  #checkOpen(name: string): void {
    if (this.#disposed) throw new BackendError(`Cannot use "${name}": the weights were released`, "ffi");
  }

  #allocate(name: string, tensor: Tensor): OrtTensor {
    const held = new OrtTensor(this.runtime, isFloat(tensor.dataType) ? "float32" : tensor.dataType, tensor.shape);
    this.#held.set(name, held);
    this.runtime.counters.weightBytes += held.data.byteLength;
    this.#fill(held, tensor);
    return held;
  }

  #fill(held: OrtTensor, { dataType, data }: Tensor): void {
    held.data.set((isFloat(dataType) ? toFloat32(dataType, data) : data) as never);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const held of this.#held.values()) {
      this.runtime.counters.weightBytes -= held.data.byteLength;
      held[Symbol.dispose]();
    }
    for (const bytes of this.#external.values()) this.runtime.counters.weightBytes -= bytes;
  }
}
