// Parameters in a runtime's memory, where programs read them and some may write them: float32 where they are floating-point
// numbers. They are read from their source when they are first needed.
import { BackendError, ShapeError } from "../../../src/errors/mod.ts";
import { isFloat, sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import type { StoredWeight, StoredWeights } from "../../../src/weights/mod.ts";
import { FileFiller, fillValue } from "./fill_value.ts";
import type { OnnxRuntime } from "./runtime.ts";
import { RuntimeTensor } from "./runtime_tensor.ts";

/** The parameters of one model that are in memory. */
export class HeldParameters implements Disposable {
  readonly #held = new Map<string, RuntimeTensor>();
  readonly #filler = new FileFiller();
  #disposed = false;

  constructor(readonly runtime: OnnxRuntime, readonly source: StoredWeights) {}

  has(name: string): boolean {
    return this.#held.has(name);
  }

  /** A parameter in memory; it is read where it is not there yet. */
  async hold(name: string): Promise<RuntimeTensor> {
    this.checkOpen(`"${name}"`);
    const held = this.#held.get(name);
    if (held) return held;
    const weight = this.source.get(name)!;
    if (FileFiller.takes(weight)) return await this.#holdInParts(name, weight);
    const stored = await weight.load();
    this.checkOpen(`"${name}"`);
    return this.#held.get(name) ?? this.put(name, stored);
  }

  async #holdInParts(name: string, weight: StoredWeight): Promise<RuntimeTensor> {
    const made = new RuntimeTensor(this.runtime, "float32", weight.shape, true);
    let kept = false;
    try {
      await this.#filler.fill(made.value, weight);
      this.checkOpen(`"${name}"`);
      const held = this.#held.get(name);
      if (held) return held;
      kept = true;
      return this.#keep(name, made);
    } finally {
      if (!kept) made[Symbol.dispose]();
    }
  }

  #keep(name: string, held: RuntimeTensor): RuntimeTensor {
    this.#held.set(name, held);
    this.runtime.counters.weightBytes += held.value.byteLength;
    return held;
  }

  /** Put a value in memory, over what is there. No run may be under way that reads it. */
  put(name: string, tensor: Tensor): RuntimeTensor {
    const { dataType, shape } = tensor;
    let held = this.#held.get(name);
    if (!held) {
      held = this.#keep(name, new RuntimeTensor(this.runtime, isFloat(dataType) ? "float32" : dataType, shape, true));
    }
    held.checkLive();
    fillValue(held.value, tensor);
    return held;
  }

  /** The parameter's present value: what is in memory, once the work that is queued now has ended, or its source's. */
  async read(name: string): Promise<Tensor> {
    const held = this.#held.get(name);
    if (!held) return await this.source.get(name)!.load();
    const data = await this.runtime.work.settled(() => {
      held.checkLive();
      return held.value.read(sizeOf(held.capacity));
    });
    return new Tensor(held.dataType, held.capacity, data);
  }

  /** Give a parameter's memory back. */
  forget(name: string): void {
    const held = this.#held.get(name);
    if (!held) return;
    this.runtime.counters.weightBytes -= held.value.byteLength;
    held[Symbol.dispose]();
    this.#held.delete(name);
  }

  /** @throws {ShapeError} If there is no parameter of a name. */
  checkName(name: string): void {
    if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
  }

  /**
   * Check that a parameter may be replaced.
   *
   * @throws {ShapeError} If its shape is another.
   * @throws {BackendError} If the weights were released.
   */
  checkReplacement(name: string, { shape }: Tensor): void {
    const info = this.source.get(name);
    if (info?.shape.join() !== shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${shape}]`);
    }
    this.checkOpen(`"${name}"`);
  }

  /** @throws {BackendError} If the weights were released. */
  checkOpen(what: string): void {
    if (!this.#disposed) return;
    throw new BackendError(`Cannot use ${what}: the weights were released`, this.runtime.name);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const name of [...this.#held.keys()]) this.forget(name);
  }
}
