// Weights as programs share them, whatever the runtime: which are trained or were written, what programs have copies of them, and who
// may compile when. Where a parameter lies besides memory is the backend's affair.
import type { OpenOptions, Weights } from "../../../src/graph/mod.ts";
import type { Tensor } from "../../../src/tensor/mod.ts";
import type { StoredWeights } from "../../../src/weights/mod.ts";
import type { CompiledSession, ParameterReader, SessionWeights } from "./compiled_session.ts";
import { HeldParameters } from "./held_parameters.ts";
import type { OnnxRuntime } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";

/** One model's parameters for the programs of a runtime. */
export class ProgramWeights<R extends OnnxRuntime = OnnxRuntime> implements Weights, SessionWeights {
  readonly readers = new Set<ParameterReader>();
  protected readonly held: HeldParameters;
  readonly #trained = new Set<string>();
  /** The number of times that parameters have changed. */
  version = 0;
  /** The names that each compilation under way reads, and when it ends. */
  readonly #compiling = new Map<ReadonlySet<string>, Promise<unknown>>();

  constructor(readonly runtime: R, readonly source: StoredWeights, readonly options: OpenOptions) {
    this.held = new HeldParameters(runtime, source);
    for (const name of source.keys()) if (options.trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  /** Whether a parameter's value is in memory as float32, whatever its source. */
  protected isReplaced(name: string): boolean {
    return this.#trained.has(name);
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      this.held.checkName(name);
      await this.hold(name);
      this.#trained.add(name);
      await this.moved(name);
    }
  }

  /** Have programs read a parameter in memory from now on. */
  protected moved(name: string): Promise<void> {
    return this.runtime.work.settled(() => this.markWritten([name]));
  }

  /**
   * Compile a program: after those that are being compiled and read the same parameters, and beside those that do not, since
   * a compilation keeps one core busy.
   *
   * @param names The parameters that it reads.
   */
  exclusively<T>(names: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
    const before = [...this.#compiling].filter(([others]) => !others.isDisjointFrom(names)).map(([, ends]) => ends);
    const done = Promise.all(before).then(work);
    const ends = done.then(() => {}, () => {}).finally(() => this.#compiling.delete(names));
    this.#compiling.set(names, ends);
    return done;
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
    if (!this.held.has(name)) {
      this.held.put(name, tensor);
      return await this.moved(name);
    }
    await this.runtime.work.settled(() => {
      this.held.put(name, tensor);
      this.markWritten([name]);
    });
  }

  forget(names: Iterable<string>): Promise<void> {
    return this.runtime.work.settled(() => {
      for (const name of names) {
        this.held.forget(name);
        this.#trained.delete(name);
        this.forgotten(name);
      }
    });
  }

  /** Forget what a backend knows of a parameter beside its value in memory. */
  protected forgotten(_name: string): void {}

  markWritten(names: Iterable<string>): void {
    for (const name of names) {
      this.version++;
      for (const reader of this.readers) {
        if (reader.fromMemory.has(name) || reader.fromFile.has(name)) reader.dropSession();
      }
    }
  }

  isCurrent({ version, fromMemory, fromFile }: Pick<CompiledSession, "version" | "fromMemory" | "fromFile">): boolean {
    return version === this.version ||
      (fromMemory.size === 0 && ![...fromFile].some((name) => this.isReplaced(name)));
  }

  leave(reader: ParameterReader): void {
    this.readers.delete(reader);
  }

  checkOpen(what: string): void {
    this.held.checkOpen(what);
  }

  [Symbol.dispose](): void {
    this.held[Symbol.dispose]();
  }
}
