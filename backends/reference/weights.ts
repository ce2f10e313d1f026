// A model's parameters in host memory, floating-point numbers as float32.
import { ShapeError } from "../../src/errors/mod.ts";
import type { Weights } from "../../src/graph/mod.ts";
import { isFloat, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";

/** Parameters on the reference backend. */
export class ReferenceWeights implements Weights {
  readonly tensors = new Map<string, Tensor>();
  readonly trained = new Set<string>();

  constructor(readonly source: StoredWeights, readonly counters: { weightBytes: number; deviceBytes: number }) {}

  /** Hold a parameter, as float32 if it is a floating-point number. */
  async load(name: string): Promise<void> {
    if (this.tensors.has(name)) return;
    this.#set(name, await this.source.get(name)!.load());
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
      await this.load(name);
      this.trained.add(name);
    }
  }

  read(name: string): Promise<Tensor> {
    const held = this.tensors.get(name);
    return held
      ? Promise.resolve(new Tensor(held.dataType, held.shape, held.data.slice()))
      : this.source.get(name)!.load();
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.#set(name, tensor);
    await Promise.resolve();
  }

  async forget(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      this.#count(-(this.tensors.get(name)?.data.byteLength ?? 0));
      this.tensors.delete(name);
      this.trained.delete(name);
    }
    await Promise.resolve();
  }

  #set(name: string, { dataType, shape, data }: Tensor): void {
    const held = isFloat(dataType)
      ? new Tensor("float32", shape, Float32Array.from(toFloat32(dataType, data)))
      : new Tensor(dataType, shape, data.slice());
    this.#count(held.data.byteLength - (this.tensors.get(name)?.data.byteLength ?? 0));
    this.tensors.set(name, held);
  }

  #count(bytes: number): void {
    this.counters.weightBytes += bytes;
    this.counters.deviceBytes += bytes;
  }

  [Symbol.dispose](): void {
    for (const { data } of this.tensors.values()) this.#count(-data.byteLength);
    this.tensors.clear();
  }
}
