// The runs of a program. A run binds its buffers to the present session once; an execution fills in the sizes and runs the
// session, and puts what was assigned in its place.
import { BackendError } from "../../../src/errors/mod.ts";
import {
  type Binding,
  type BoundTensor,
  type Graph,
  type Run,
  type Sizes,
  sizesOfRun,
} from "../../../src/graph/mod.ts";
import { fillSize } from "./fill_value.ts";
import type { CompiledSession } from "./compiled_session.ts";
import type { Bindable, OnnxRuntime, RunControl, RuntimeValue, SessionBinding } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";
import type { SessionWeights } from "./session_weights.ts";

/** What a run needs of its program. */
export interface SessionLoan {
  readonly runtime: OnnxRuntime;
  readonly graph: Graph;
  readonly weights: SessionWeights;
  readonly compiled: CompiledSession | undefined;
  readonly writes: ReadonlySet<string>;
  readonly runs: Set<OnnxRun>;
  /** A session that can run with these sizes; where there is none it is compiled now, as a part of the run. */
  sessionFor(sizes: Sizes): Promise<CompiledSession>;
  /** @throws {BackendError} If the program was released. */
  checkLive(what: string): void;
}

/** Where a name's tensor is: a buffer, or a part of one. */
interface Place {
  readonly tensor: RuntimeTensor;
  /** The part of it that is bound; undefined for the whole buffer. */
  readonly part: BoundTensor | undefined;
}

/** A tensor that is bound to a name, and bound again only when its value is another one. */
interface Bound extends Place {
  readonly name: string;
  bound: RuntimeValue | undefined;
  view: Bindable | undefined;
}

/** A spare value for what is assigned at the end of a run: then the spare takes the place of its tensor's value, or is copied
 * to a part of it. */
interface Swap extends Place {
  readonly name: string;
  spare: RuntimeValue;
}

/** A program with its buffers, bound to its session. */
export class OnnxRun implements Run {
  /** Undefined where the program has no session, or another than the one that was bound. */
  #session: SessionBinding | undefined;
  #inputs: Bound[] = [];
  #outputs: Bound[] = [];
  #sizes: { name: string; expression: string; value: RuntimeValue }[] = [];
  #swaps: Swap[] = [];
  #disposed = false;

  constructor(readonly program: SessionLoan, readonly binding: Binding<RuntimeTensor>) {
    if (program.compiled) this.#bindAll(program.compiled);
    program.runtime.counters.liveHandles++;
  }

  get maxima(): Sizes {
    return this.binding.maxima;
  }

  /** Bind everything to a session, or nothing. */
  #bindAll(compiled: CompiledSession): SessionBinding {
    const session = this.#session = compiled.session.bind();
    try {
      this.#listBindings(session, compiled);
      this.#rebind(session);
    } catch (error) {
      this.#free();
      throw error;
    }
    return session;
  }

  /** List what is bound to which name. */
  #listBindings(session: SessionBinding, { model, parameters }: CompiledSession): void {
    const { program: { runtime, graph }, binding: { parts } } = this;
    const whole = (tensor: RuntimeTensor): Place => ({ tensor, part: undefined });
    const place = (name: string): Place => {
      const { tensor, offset, shape } = parts[name];
      return offset === 0 && shape.join() === tensor.capacity.join() ? whole(tensor) : { tensor, part: parts[name] };
    };
    const add = (list: Bound[], name: string, at: Place) =>
      list.push({ name, ...at, bound: undefined, view: undefined });
    for (const name of graph.inputs.keys()) add(this.#inputs, `input:${name}`, place(name));
    for (const name of graph.states.keys()) add(this.#inputs, `state:${name}`, place(name));
    for (const [name, tensor] of parameters) add(this.#inputs, `parameter:${name}`, whole(tensor));
    for (const name of graph.outputs.keys()) add(this.#outputs, `output:${name}`, place(name));
    for (const [name, { kind, when }] of model.writes) {
      const at = kind === "state" ? place(name) : whole(parameters.get(name)!);
      if (when === "inPlace") add(this.#outputs, `next:${name}`, at);
      else this.#addSwap(`next:${name}`, at);
    }
    for (const { name, expression, dataType } of model.sizes) {
      const value = runtime.allocate(dataType, [1], "host");
      this.#sizes.push({ name, expression, value });
      session.input(name, value);
    }
  }

  /**
   * Prepare an execution.
   *
   * @returns A function that executes it as a run of a stream.
   * @throws {ShapeError} If the sizes do not fit.
   * @throws {BackendError} If the run, its program, its weights or a buffer were released.
   */
  execution(given?: Sizes): (control: RunControl) => Promise<void> {
    const { runtime, graph, weights } = this.program;
    const sizes = sizesOfRun(this.binding, given);
    if (this.#disposed) throw new BackendError(`Cannot run ${graph.name}: the run was released`, runtime.name);
    this.program.checkLive("run");
    weights.checkOpen(graph.name);
    for (const { tensor } of Object.values(this.binding.parts)) tensor.checkLive();
    return async (control) => {
      const compiled = await this.program.sessionFor(sizes);
      const session = this.#session ?? this.#bindAll(compiled);
      for (const { name, expression, value } of this.#sizes) {
        fillSize(value, expression, sizes);
        if (runtime.copiesWhenBound) session.input(name, value);
      }
      this.#rebind(session);
      runtime.counters.runs++;
      runtime.counters.dispatches++;
      try {
        await session.run(control);
      } finally {
        weights.markWritten(this.program.writes);
      }
      for (const swap of this.#swaps) {
        const { spare, tensor, part } = swap;
        if (part) tensor.value.copy(spare, part.offset);
        else swap.spare = tensor.swap(spare);
      }
    };
  }

  /** Release what is bound to the program's session, before the session is released; no execution may be under way. */
  unbind(): void {
    this.#free();
  }

  /** Bind what has another value than when it was bound last. */
  #rebind(session: SessionBinding): void {
    for (const [call, list] of [["input", this.#inputs], ["output", this.#outputs]] as const) {
      for (const entry of list) {
        const { part, tensor: { value } } = entry;
        if (entry.bound === value && !this.program.runtime.copiesWhenBound) continue;
        const old = entry.view;
        entry.bound = value;
        entry.view = part && value.view(part.shape, part.offset);
        session[call](entry.name, entry.view ?? value);
        old?.release();
      }
    }
    for (const { name, spare } of this.#swaps) session.output(name, spare);
  }

  #addSwap(name: string, { tensor, part }: Place): void {
    const spare = this.program.runtime.allocate(tensor.dataType, part?.shape ?? tensor.capacity);
    this.#swaps.push({ name, spare, tensor, part });
  }

  /** Release what the binding is made of. */
  #free(): void {
    this.#session?.release();
    this.#session = undefined;
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
