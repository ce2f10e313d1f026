// A session and its uses. What a run needs is bound once; an execution fills in the sizes and calls the library.
import {
  checkBinding,
  type DeviceTensor,
  type Graph,
  type Program,
  resolveDimension,
  resolveShape,
  type Run,
  type Sizes,
  sizesOfRun,
  type Value,
} from "../../src/graph/mod.ts";
import type { OnnxModel } from "../onnx/mod.ts";
import { cString, type Runtime } from "./runtime.ts";
import { type OrtTensor, OrtValue } from "./value.ts";

/** A compiled session and what it is bound to beside a run's own tensors. */
export interface Compiled {
  readonly graph: Graph;
  readonly model: OnnxModel;
  readonly session: Deno.PointerObject;
  /** The parameters that are inputs. */
  readonly parameters: ReadonlyMap<string, OrtTensor>;
}

/** A tensor bound to a name: as long as the value stays, the binding does. */
interface Bound {
  readonly name: Uint8Array<ArrayBuffer>;
  readonly tensor: OrtTensor;
  /** The shape it is seen in; undefined for the whole buffer. */
  readonly shape: readonly number[] | undefined;
  bound: OrtValue | undefined;
  view: Deno.PointerObject | undefined;
}

/** A program on ONNX Runtime. */
export class FfiProgram implements Program {
  #disposed = false;

  constructor(readonly runtime: Runtime, readonly compiled: Compiled) {
    runtime.counters.liveHandles++;
  }

  bind(tensors: Readonly<Record<string, DeviceTensor>>, maxima: Sizes = {}): Run {
    const binding = checkBinding(this.compiled.graph, tensors, maxima);
    const run = new FfiRun(this.runtime, this.compiled, tensors as Record<string, OrtTensor>, maxima);
    return {
      enqueue: (sizes) => run.enqueue(sizesOfRun(binding, sizes)),
      [Symbol.dispose]: () => run[Symbol.dispose](),
    };
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.runtime.counters.liveHandles--;
    this.runtime.release(() => this.runtime.api.releaseSession(this.compiled.session));
  }
}

class FfiRun implements Disposable {
  readonly #binding: Deno.PointerObject;
  readonly #inputs: Bound[] = [];
  readonly #outputs: Bound[] = [];
  readonly #sizes: { expression: string; value: OrtValue }[] = [];
  /** A new value's place, and the tensor whose place it takes when the run has ended. */
  readonly #swaps: { spare: OrtValue; name: Uint8Array<ArrayBuffer>; tensor: OrtTensor }[] = [];
  #disposed = false;

  constructor(
    readonly runtime: Runtime,
    readonly compiled: Compiled,
    tensors: Record<string, OrtTensor>,
    maxima: Sizes,
  ) {
    const { graph, model, session, parameters } = compiled;
    this.#binding = runtime.create("bind a program", (out) => runtime.api.createIoBinding(session, out));
    runtime.counters.liveHandles++;
    const add = (list: Bound[], name: string, tensor: OrtTensor, value?: Value) => {
      const shape = value && resolveShape(value.shape, maxima);
      const whole = shape === undefined || shape.join() === tensor.capacity.join();
      list.push({ name: cString(name), tensor, shape: whole ? undefined : shape, bound: undefined, view: undefined });
    };
    for (const [name, value] of graph.inputs) add(this.#inputs, `input:${name}`, tensors[name], value);
    for (const name of graph.states.keys()) add(this.#inputs, `state:${name}`, tensors[name]);
    for (const [name, tensor] of parameters) add(this.#inputs, `parameter:${name}`, tensor);
    for (const [name, value] of graph.outputs) add(this.#outputs, `output:${name}`, tensors[name], value);
    for (const [name, { kind, when }] of model.writes) {
      const tensor = kind === "state" ? tensors[name] : parameters.get(name)!;
      if (when === "inPlace") add(this.#outputs, `next:${name}`, tensor);
      else this.#addSwap(`next:${name}`, tensor);
    }
    for (const expression of model.sizes) {
      const value = new OrtValue(runtime, "int64", [1]);
      this.#sizes.push({ expression, value });
      this.#bind("bindInput", cString(`size:${expression}`), value.pointer);
    }
    this.#rebind();
  }

  /** Queue an execution. */
  enqueue(sizes: Sizes): void {
    const { runtime } = this;
    runtime.queue(async () => {
      for (const { expression, value } of this.#sizes) value.data[0] = BigInt(resolveDimension(expression, sizes));
      this.#rebind();
      runtime.counters.runs++;
      runtime.counters.dispatches++;
      const status = await runtime.api.runWithBinding(this.compiled.session, runtime.runOptions, this.#binding);
      runtime.check(status, `run ${this.compiled.graph.name}`);
      for (const swap of this.#swaps) [swap.tensor.value, swap.spare] = [swap.spare, swap.tensor.value];
    });
  }

  /** Bind what has another value than when it was bound last. */
  #rebind(): void {
    for (const [call, list] of [["bindInput", this.#inputs], ["bindOutput", this.#outputs]] as const) {
      for (const entry of list) {
        if (entry.bound === entry.tensor.value) continue;
        const old = entry.view;
        entry.bound = entry.tensor.value;
        entry.view = entry.shape && entry.bound.view(entry.shape);
        this.#bind(call, entry.name, entry.view ?? entry.bound.pointer);
        if (old) this.runtime.api.releaseValue(old);
      }
    }
    for (const { name, spare } of this.#swaps) this.#bind("bindOutput", name, spare.pointer);
  }

  #addSwap(name: string, tensor: OrtTensor): void {
    const spare = new OrtValue(this.runtime, tensor.dataType, tensor.capacity);
    this.#swaps.push({ name: cString(name), spare, tensor });
  }

  #bind(call: "bindInput" | "bindOutput", name: Uint8Array<ArrayBuffer>, value: Deno.PointerObject): void {
    this.runtime.check(this.runtime.api[call](this.#binding, name, value), "bind a tensor");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { runtime } = this;
    runtime.counters.liveHandles--;
    runtime.release(() => {
      runtime.api.releaseIoBinding(this.#binding);
      for (const { view } of [...this.#inputs, ...this.#outputs]) if (view) runtime.api.releaseValue(view);
    });
    for (const { value } of this.#sizes) value.release();
    for (const { spare } of this.#swaps) spare.release();
  }
}
