// A program on ONNX Runtime and its runs. Think of the session as something that the program holds on loan: it may be dropped
// at any moment between two executions, because a parameter changed of which it has a copy, and is compiled again for the next
// execution. A run binds its buffers to the present session once; an execution fills in the sizes and calls the library.
import { BackendError } from "../../src/errors/mod.ts";
import {
  type Binding,
  type BoundTensor,
  checkBinding,
  type DeviceTensor,
  type Graph,
  type Program,
  resolveDimension,
  type Run,
  type Sizes,
  sizesOfRun,
  type TensorPart,
  writtenParameters,
} from "../../src/graph/mod.ts";
import type { CompiledSession } from "./compiled_session.ts";
import { cString, type Runtime } from "./runtime.ts";
import { type OrtTensor, OrtValue, OrtView } from "./ort_value.ts";
import type { FfiWeights, ParameterReader } from "./weights.ts";

/** A tensor that is bound to a name, and bound again only when its value is another one. */
interface Bound {
  readonly name: Uint8Array<ArrayBuffer>;
  readonly tensor: OrtTensor;
  /** The part of it that is bound; undefined for the whole buffer. */
  readonly part: BoundTensor | undefined;
  bound: OrtValue | undefined;
  view: OrtView | undefined;
}

const none: ReadonlySet<string> = new Set();

/** A program on ONNX Runtime. */
export class FfiProgram implements Program, ParameterReader {
  /** Undefined while its session is dropped. */
  compiled: CompiledSession | undefined;
  /** The parameters that it writes. */
  readonly writes: ReadonlySet<string>;
  #fusesCaches = true;
  /** Its runs that are not yet released. */
  readonly runs = new Set<FfiRun>();
  #disposed = false;

  /**
   * @param compile Compiles the graph with its parameters as they now are, with or without a packed copy of them and
   * attention that appends to its caches.
   * @param packed Whether the session has a packed copy of them.
   * @param compiled What it compiled to first.
   */
  constructor(
    readonly runtime: Runtime,
    readonly graph: Graph,
    readonly weights: FfiWeights,
    readonly compile: (pack: boolean, fusesCaches: boolean) => Promise<CompiledSession>,
    public packed: boolean,
    compiled: CompiledSession,
  ) {
    this.compiled = compiled;
    this.writes = writtenParameters(graph);
    runtime.counters.liveHandles++;
    weights.readers.add(this);
    // A step of training may have ended while this was compiled.
    if (!weights.isCurrent(compiled)) this.dropSession();
  }

  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima: Sizes = {}): Run {
    this.checkLive("bind");
    const bound = tensors as Readonly<Record<string, OrtTensor | TensorPart<OrtTensor>>>;
    const binding = checkBinding(this.graph, bound, maxima);
    for (const { tensor } of Object.values(binding.parts)) tensor.checkLive();
    const run = new FfiRun(this, binding);
    this.runs.add(run);
    return run;
  }

  get fromFile(): ReadonlySet<string> {
    return this.compiled?.fromFile ?? none;
  }

  get fromMemory(): ReadonlySet<string> {
    return this.compiled?.fromMemory ?? none;
  }

  async reload(pack: boolean): Promise<void> {
    this.packed = pack;
    if (!this.compiled) return;
    const compiled = await this.compile(pack, this.#fusesCaches);
    await this.runtime.work.between(() => {
      this.dropSession();
      this.compiled = compiled;
      // Where the program was released meanwhile, or parameters have changed, nobody may run this session.
      if (this.#disposed || !this.weights.isCurrent(compiled)) this.dropSession();
    });
  }

  dropSession(): void {
    for (const run of this.runs) run.unbind();
    const { compiled } = this;
    this.compiled = undefined;
    if (!compiled) return;
    this.runtime.api.releaseSession(compiled.session);
    for (const view of compiled.views) view.release();
  }

  /** A session that can run with these sizes; where there is none it is compiled now, as a part of the run. */
  async sessionFor(sizes: Sizes): Promise<CompiledSession> {
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

  /** @throws {BackendError} If the program was released. */
  checkLive(what: string): void {
    if (this.#disposed) throw new BackendError(`Cannot ${what} ${this.graph.name}: the program was released`, "ffi");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.runtime.release(() => this.dropSession());
    this.weights.leave(this);
  }
}

/** A program with its buffers, bound to its session. */
export class FfiRun implements Run {
  /** Undefined where the program has no session, or another than the one that was bound. */
  #binding: Deno.PointerObject | undefined;
  #inputs: Bound[] = [];
  #outputs: Bound[] = [];
  #sizes: { expression: string; value: OrtValue }[] = [];
  /** Spare values for what is assigned at the end of a run: then a spare takes the place of its tensor's value, or is copied to
   * a part of it. */
  #swaps: { spare: OrtValue; name: Uint8Array<ArrayBuffer>; tensor: OrtTensor; part: BoundTensor | undefined }[] = [];
  #disposed = false;

  constructor(
    readonly program: FfiProgram,
    readonly binding: Binding<OrtTensor>,
  ) {
    if (program.compiled) this.#bindAll(program.compiled);
    this.program.runtime.counters.liveHandles++;
  }

  get maxima(): Sizes {
    return this.binding.maxima;
  }

  /** Bind everything to a session, or nothing. */
  #bindAll(compiled: CompiledSession): Deno.PointerObject {
    const { runtime } = this.program;
    const binding = runtime.create("bind a program", (out) => runtime.api.createIoBinding(compiled.session, out));
    this.#binding = binding;
    try {
      this.#listBindings(compiled);
      this.#rebind();
    } catch (error) {
      this.#free();
      throw error;
    }
    return binding;
  }

  /** List what is bound to which name. */
  #listBindings({ model, parameters }: CompiledSession): void {
    const { program: { runtime, graph }, binding: { parts } } = this;
    const whole = (tensor: OrtTensor) => ({ tensor, part: undefined });
    const place = (name: string) => {
      const { tensor, offset, shape } = parts[name];
      return offset === 0 && shape.join() === tensor.capacity.join() ? whole(tensor) : { tensor, part: parts[name] };
    };
    const add = (list: Bound[], name: string, at: Pick<Bound, "tensor" | "part">) =>
      list.push({ name: cString(name), ...at, bound: undefined, view: undefined });
    for (const name of graph.inputs.keys()) add(this.#inputs, `input:${name}`, place(name));
    for (const name of graph.states.keys()) add(this.#inputs, `state:${name}`, place(name));
    for (const [name, tensor] of parameters) add(this.#inputs, `parameter:${name}`, whole(tensor));
    for (const name of graph.outputs.keys()) add(this.#outputs, `output:${name}`, place(name));
    for (const [name, { kind, when }] of model.writes) {
      const at = kind === "state" ? place(name) : whole(parameters.get(name)!);
      if (when === "inPlace") add(this.#outputs, `next:${name}`, at);
      else this.#addSwap(`next:${name}`, at);
    }
    for (const expression of model.sizes) {
      const value = new OrtValue(runtime, "int64", [1]);
      this.#sizes.push({ expression, value });
      this.#bind("bindInput", cString(`size:${expression}`), value.pointer);
    }
  }

  /**
   * Prepare an execution.
   *
   * @returns A function that executes it with the run options of a stream.
   * @throws {ShapeError} If the sizes do not fit.
   * @throws {BackendError} If the run, its program, its weights or a buffer were released.
   */
  execution(given?: Sizes): (runOptions: Deno.PointerObject) => Promise<void> {
    const { runtime, graph, weights } = this.program;
    const sizes = sizesOfRun(this.binding, given);
    if (this.#disposed) throw new BackendError(`Cannot run ${graph.name}: the run was released`, "ffi");
    this.program.checkLive("run");
    weights.checkOpen(graph.name);
    for (const { tensor } of Object.values(this.binding.parts)) tensor.checkLive();
    return async (runOptions) => {
      const compiled = await this.program.sessionFor(sizes);
      const binding = this.#binding ?? this.#bindAll(compiled);
      for (const { expression, value } of this.#sizes) value.data[0] = BigInt(resolveDimension(expression, sizes));
      this.#rebind();
      runtime.counters.runs++;
      runtime.counters.dispatches++;
      const status = await runtime.api.runWithBinding(compiled.session, runOptions, binding);
      weights.markWritten(this.program.writes);
      runtime.check(status, `run ${graph.name}`);
      for (const swap of this.#swaps) {
        const { spare, tensor, part } = swap;
        if (part) tensor.value.data.set(spare.data as never, part.offset);
        else [tensor.value, swap.spare] = [spare, tensor.value];
      }
    };
  }

  /** Release what is bound to the program's session, before the session is released; no execution may be under way. */
  unbind(): void {
    this.#free();
  }

  /** Bind what has another value than when it was bound last. */
  #rebind(): void {
    for (const [call, list] of [["bindInput", this.#inputs], ["bindOutput", this.#outputs]] as const) {
      for (const entry of list) {
        if (entry.bound === entry.tensor.value) continue;
        const old = entry.view;
        entry.bound = entry.tensor.value;
        const { bound, part } = entry;
        entry.view = part && new OrtView(this.program.runtime, bound.dataType, part.shape, bound.at(part.offset));
        this.#bind(call, entry.name, entry.view?.pointer ?? bound.pointer);
        old?.release();
      }
    }
    for (const { name, spare } of this.#swaps) this.#bind("bindOutput", name, spare.pointer);
  }

  #addSwap(name: string, { tensor, part }: Pick<Bound, "tensor" | "part">): void {
    const spare = new OrtValue(this.program.runtime, tensor.dataType, part?.shape ?? tensor.capacity);
    this.#swaps.push({ name: cString(name), spare, tensor, part });
  }

  #bind(call: "bindInput" | "bindOutput", name: Uint8Array<ArrayBuffer>, value: Deno.PointerObject): void {
    const { runtime } = this.program;
    runtime.check(runtime.api[call](this.#binding!, name, value), "bind a tensor");
  }

  /** Release what the binding is made of. */
  #free(): void {
    if (this.#binding) this.program.runtime.api.releaseIoBinding(this.#binding);
    this.#binding = undefined;
    for (const { view } of [...this.#inputs, ...this.#outputs]) view?.release();
    for (const { value } of this.#sizes) value.release();
    for (const { spare } of this.#swaps) spare.release();
    this.#inputs = [];
    this.#outputs = [];
    this.#sizes = [];
    this.#swaps = [];
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.program.runtime.release(() => {
      this.#free();
      this.program.runs.delete(this);
    });
  }
}
