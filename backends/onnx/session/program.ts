// A program on a runtime of ONNX models. Think of the session as something that the program holds on loan: it may be dropped
// at any moment between two executions, because a parameter changed of which it has a copy, and is compiled again for the next
// execution.
import { BackendError } from "../../../src/errors/mod.ts";
import {
  checkBinding,
  type DeviceTensor,
  type Graph,
  type Program,
  resolveDimension,
  resolveShape,
  type Sizes,
  type TensorPart,
  writtenParameters,
} from "../../../src/graph/mod.ts";
import { sizeOf } from "../../../src/tensor/mod.ts";
import type { CompiledSession, ParameterReader } from "./compiled_session.ts";
import { OnnxRun, type SessionLoan } from "./run.ts";
import type { OnnxRuntime } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";
import type { SessionWeights } from "./session_weights.ts";

const none: ReadonlySet<string> = new Set();

/** A program of a backend that runs ONNX models. */
export class OnnxProgram implements Program, ParameterReader, SessionLoan {
  /** Undefined while its session is dropped. */
  compiled: CompiledSession | undefined;
  /** The parameters that it writes. */
  readonly writes: ReadonlySet<string>;
  #fusesCaches = true;
  /** Its runs that are not yet released. */
  readonly runs = new Set<OnnxRun>();
  #disposed = false;

  /**
   * @param compile Compiles the graph with its parameters as they now are, with or without a packed copy of them and
   * attention that appends to its caches.
   * @param packed Whether the session has a packed copy of them.
   * @param compiled What it compiled to first; without it the first run compiles it.
   */
  constructor(
    readonly runtime: OnnxRuntime,
    readonly graph: Graph,
    readonly weights: SessionWeights,
    readonly compile: (pack: boolean, fusesCaches: boolean) => Promise<CompiledSession>,
    public packed: boolean,
    compiled?: CompiledSession,
  ) {
    this.compiled = compiled;
    this.writes = writtenParameters(graph);
    runtime.counters.liveHandles++;
    weights.readers.add(this);
    // A step of training may have ended while this was compiled.
    if (compiled && !weights.isCurrent(compiled)) this.dropSession();
  }

  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima: Sizes = {}): OnnxRun {
    this.checkLive("bind");
    const bound = tensors as Readonly<Record<string, RuntimeTensor | TensorPart<RuntimeTensor>>>;
    const binding = checkBinding(this.graph, bound, maxima);
    for (const { tensor } of Object.values(binding.parts)) tensor.checkLive();
    const run = new OnnxRun(this, binding);
    this.runs.add(run);
    return run;
  }

  get fromFile(): ReadonlySet<string> {
    return this.compiled?.fromFile ?? none;
  }

  get fromMemory(): ReadonlySet<string> {
    return this.compiled?.fromMemory ?? none;
  }

  async reload(): Promise<void> {
    if (!this.compiled) return;
    const compiled = await this.compile(this.packed, this.#fusesCaches);
    await this.runtime.work.between(() => this.#replace(compiled));
  }

  async pack(): Promise<void> {
    this.packed = true;
    if (!this.compiled) return;
    const compiled = await this.compile(true, this.#fusesCaches).catch(() => undefined);
    // Where its file was replaced, or memory is short, it goes on as it is.
    this.packed = compiled !== undefined;
    if (compiled) this.#replace(compiled);
  }

  /** Put a session in the place of the present one. */
  #replace(compiled: CompiledSession): void {
    this.dropSession();
    this.compiled = compiled;
    // Where the program was released meanwhile, or parameters have changed, nobody may run this session.
    if (this.#disposed || !this.weights.isCurrent(compiled)) this.dropSession();
  }

  dropSession(): void {
    for (const run of this.runs) run.unbind();
    const { compiled } = this;
    this.compiled = undefined;
    compiled?.session.release();
  }

  async sessionFor(sizes: Sizes): Promise<CompiledSession> {
    await this.weights.beforeRun(this, () => this.#rowsOf(sizes));
    const refused = this.compiled?.model.fusedCaches.some(({ rows, T, length }) => {
      const tokens = resolveDimension(T, sizes);
      return tokens > 1 && resolveDimension(rows, sizes) > 1 && resolveDimension(length, sizes) !== tokens;
    });
    if (refused) {
      this.#fusesCaches = false;
      this.dropSession();
    }
    return this.compiled ??= await this.compile(this.packed, this.#fusesCaches);
  }

  /** The rows of what a run puts out. */
  #rowsOf(sizes: Sizes): number {
    const [output] = this.graph.outputs.values();
    return output ? sizeOf(resolveShape(output.shape.slice(0, -1), sizes)) : 1;
  }

  checkLive(what: string): void {
    if (!this.#disposed) return;
    throw new BackendError(`Cannot ${what} ${this.graph.name}: the program was released`, this.runtime.name);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.runtime.release(() => this.dropSession());
    this.weights.leave(this);
  }
}
