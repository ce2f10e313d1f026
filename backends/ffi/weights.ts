// A model's parameters: left in their file where they lie there as float32, else held once in ONNX Runtime's memory,
// [out, in] matrices exchanged so that a product reads them as they lie.
import { ShapeError } from "../../src/errors.ts";
import type { OpenOptions, ParameterSource, Weights } from "../../src/graph/mod.ts";
import { isFloat, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { ExternalData } from "../onnx/mod.ts";
import type { Runtime } from "./runtime.ts";
import { OrtTensor } from "./value.ts";

/** A matrix with its axes exchanged. */
export function exchangeAxes(source: Float32Array, rows: number, columns: number, target: Float32Array): void {
  // Square blocks keep both sides in the cache.
  const block = 32;
  for (let r0 = 0; r0 < rows; r0 += block) {
    for (let c0 = 0; c0 < columns; c0 += block) {
      const [r1, c1] = [Math.min(rows, r0 + block), Math.min(columns, c0 + block)];
      for (let r = r0; r < r1; r++) for (let c = c0; c < c1; c++) target[c * rows + r] = source[r * columns + c];
    }
  }
}

/** A folder and a file in it. */
function splitPath(path: string): [folder: string, file: string] {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, at) || "/", path.slice(at + 1)];
}

/** As stored, and with the axes exchanged. */
const layoutsOf = [false, true] as const;

const keyOf = (name: string, transposed: boolean): string => `${transposed ? "exchanged" : "stored"} ${name}`;

/** Parameters on the ffi backend. */
export class FfiWeights implements Weights {
  readonly #held = new Map<string, OrtTensor>();
  /** Parameters that sessions read from the file. */
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
  async hold(name: string, transposed: boolean): Promise<OrtTensor> {
    return this.#held.get(keyOf(name, transposed)) ?? this.#allocate(name, await this.#current(name), transposed);
  }

  async read(name: string): Promise<Tensor> {
    await this.runtime.settle();
    return await this.#current(name);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.parameters.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    if (this.#external.has(name)) {
      throw new ShapeError(
        `Cannot write "${name}": compiled programs read it from its file; open the weights as trainable`,
      );
    }
    await this.runtime.settle();
    this.#changed.add(name);
    const layouts = layoutsOf.filter((transposed) => this.#held.has(keyOf(name, transposed)));
    if (layouts.length === 0) this.#allocate(name, tensor, false);
    for (const transposed of layouts) this.#fill(this.#held.get(keyOf(name, transposed))!, tensor, transposed);
  }

  /** A parameter's value: what is held, else what is stored. */
  async #current(name: string): Promise<Tensor> {
    const transposed = layoutsOf.find((layout) => this.#held.has(keyOf(name, layout)));
    if (transposed === undefined) return await this.source.read(name);
    const held = this.#held.get(keyOf(name, transposed))!;
    const data = held.value.data.slice();
    if (!transposed) return new Tensor(held.dataType, held.capacity, data);
    const [columns, rows] = held.capacity;
    exchangeAxes(held.value.data as Float32Array, columns, rows, data as Float32Array);
    return new Tensor(held.dataType, [rows, columns], data);
  }

  #allocate(name: string, tensor: Tensor, transposed: boolean): OrtTensor {
    const key = keyOf(name, transposed);
    const known = this.#held.get(key);
    if (known) return known;
    const shape = transposed ? tensor.shape.toReversed() : tensor.shape;
    const held = new OrtTensor(this.runtime, isFloat(tensor.dataType) ? "float32" : tensor.dataType, shape);
    this.#held.set(key, held);
    this.runtime.counters.weightBytes += held.value.data.byteLength;
    this.#fill(held, tensor, transposed);
    return held;
  }

  #fill(held: OrtTensor, { dataType, shape, data }: Tensor, transposed: boolean): void {
    const values = isFloat(dataType) ? toFloat32(dataType, data) : data;
    if (transposed) exchangeAxes(values as Float32Array, shape[0], shape[1], held.value.data as Float32Array);
    else held.value.data.set(values as never);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const held of this.#held.values()) {
      this.runtime.counters.weightBytes -= held.value.data.byteLength;
      held[Symbol.dispose]();
    }
    for (const bytes of this.#external.values()) this.runtime.counters.weightBytes -= bytes;
  }
}
