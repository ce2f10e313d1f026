// A model's parameters as programs of a runtime read, train and replace them. A session may have copies of them, of their file or
// of what is in memory: where a value changes, the sessions that have it are dropped, and compiled again for the next run.
import type { OpenOptions, Weights } from "../../../src/graph/mod.ts";
import type { Tensor } from "../../../src/tensor/mod.ts";
import type { StoredWeights } from "../../../src/weights/mod.ts";
import type { CompiledSession, ParameterReader } from "./compiled_session.ts";
import { HeldParameters } from "./held_parameters.ts";
import type { OnnxRuntime } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";

/** The parameters of one model on a runtime. */
export abstract class SessionWeights implements Weights {
  /** The programs that were compiled with these weights. */
  readonly readers = new Set<ParameterReader>();
  protected readonly held: HeldParameters;
  readonly #trained = new Set<string>();
  /** The number of times that parameters have changed. */
  version = 0;

  constructor(runtime: OnnxRuntime, readonly source: StoredWeights, readonly options: OpenOptions) {
    this.held = new HeldParameters(runtime, source);
    for (const name of source.keys()) if (options.trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      this.held.checkName(name);
      await this.hold(name);
      if (this.#trained.has(name)) continue;
      this.#trained.add(name);
      await this.held.runtime.work.settled(() => this.noteChange(name));
    }
  }

  /** A parameter in memory, float32 if it is a floating-point number. */
  hold(name: string): Promise<RuntimeTensor> {
    return this.held.hold(name);
  }

  read(name: string): Promise<Tensor> {
    return this.held.read(name);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    this.held.checkReplacement(name, tensor);
    await this.held.runtime.work.settled(() => {
      this.held.put(name, tensor);
      this.noteChange(name);
    });
  }

  forget(names: Iterable<string>): Promise<void> {
    return this.held.runtime.work.settled(() => {
      for (const name of names) this.forgetOne(name);
    });
  }

  /** Forget that a parameter was held, trained or replaced. No run may be under way. */
  protected forgetOne(name: string): void {
    this.held.forget(name);
    this.#trained.delete(name);
  }

  /** Note that a parameter's present value is the one in memory, and may be another than before. No run may be under way. */
  protected noteChange(name: string): void {
    this.markWritten([name]);
  }

  /** Note that parameters have changed: sessions that have copies of them are dropped. No run may be under way. */
  markWritten(names: Iterable<string>): void {
    for (const name of names) {
      this.version++;
      for (const reader of this.readers) {
        if (reader.fromMemory.has(name) || reader.fromFile.has(name)) reader.dropSession();
      }
    }
  }

  /** Whether a session has the parameters' present values: one without copies of them always has. */
  isCurrent({ version, fromMemory, fromFile }: Pick<CompiledSession, "version" | "fromMemory" | "fromFile">): boolean {
    return version === this.version || (fromMemory.size === 0 && ![...fromFile].some((name) => this.isReplaced(name)));
  }

  /** Whether a parameter's present value is in memory, whatever its source. */
  protected abstract isReplaced(name: string): boolean;

  /**
   * Called before each run of a program.
   *
   * @param _rows How many rows its products have in this run.
   * @returns What the run waits for, where anything must happen first.
   */
  beforeRun(_reader: ParameterReader, _rows: () => number): Promise<void> | undefined {
    return undefined;
  }

  /** Forget a program. */
  leave(reader: ParameterReader): void {
    this.readers.delete(reader);
  }

  /** @throws {BackendError} If the weights were released. */
  checkOpen(what: string): void {
    this.held.checkOpen(what);
  }

  [Symbol.dispose](): void {
    this.held[Symbol.dispose]();
  }
}
