// From a graph to dispatches. Think of the planner as walking the graph once with a notebook that has for each value where
// its elements lie (a view). A node's lowering looks up its operands' views, asks for a target to write, adds dispatches, and
// notes the view of its output; movements of data only note another view of the same storage. Work is deferred where that
// saves a kernel: an elementwise node that only one elementwise node reads becomes a part of that node's expression.
import {
  constantOperator,
  type Graph,
  isLeaf,
  type NamedLeaf,
  type Node,
  parameterOperator,
  type Shape,
  type Value,
  writtenParameters,
} from "../../../src/graph/mod.ts";
import { sameShape } from "../../../src/operators/mod.ts";
import type { DataType, Tensor } from "../../../src/tensor/mod.ts";
import {
  elementwiseCode,
  elementwiseKernel,
  type Expression,
  isElementwise,
  type Operand,
  viewsOf,
  withViews,
} from "../kernels/elementwise.ts";
import type { DeferredAppend } from "../kernels/appended_position.ts";
import { elementwiseFoursKernel } from "../kernels/texels/elementwise_fours.ts";
import { copyKernel, fillKernel } from "../kernels/movement.ts";
import { type Dispatch, elementCount } from "../kernels/shader.ts";
import type { BlockEncoding } from "../../../src/weights/mod.ts";
import type { NumberStorage } from "../weights/layout.ts";
import { computesWhatItNormalizes, Fusion } from "./fusion.ts";
import type { NormalizedRows } from "../kernels/matvec.ts";
import type { Profile } from "../device/profile.ts";
import type { Step } from "./step.ts";
import { TexelCopies } from "./texels/texel_copies.ts";
import { Windows } from "./windows/windows.ts";
import { ValueUses } from "./value_uses.ts";
import { roundedValues } from "./rounded_values.ts";
import {
  broadcastView,
  type Float16,
  float16Of,
  isContiguous,
  type Resolve,
  type Storage,
  type View,
  wholeView,
} from "./view.ts";

/** The device's properties that a plan depends on. */
export interface PlanOptions {
  readonly profile: Profile;
  /** The most bytes of one binding. */
  readonly maxBinding: number;
  /** The blocks of few bits that a parameter is held in, if it is. */
  readonly encoding: (name: string) => BlockEncoding | undefined;
  /** How the numbers of a packed parameter are held. */
  readonly numbers: (name: string) => NumberStorage;
  /** Whether what kernels leave for each other is rounded to float16. @default false */
  readonly rounds?: boolean;
}

/** A kernel reads at most this many views. */
const maxViews = 6;

/** Memory for the elements of a shape. */
function memoryFor(shape: Shape, float16?: Float16): Extract<Storage, { kind: "temporary" }> {
  const elements = elementCount(shape);
  return { kind: "temporary", elements: (resolve) => resolve(elements), ...(float16 ? { float16 } : {}) };
}

/** Builds the steps of a graph. */
export class Planner {
  readonly steps: Step[] = [];
  readonly uses: ValueUses;
  readonly fusion: Fusion;
  readonly #writes: ReadonlySet<string>;
  /** The values that are rounded to float16 in memory. */
  readonly rounded: ReadonlySet<Value>;
  /** The values that are held as float16, two in a word, and where: they have no views. */
  readonly halves = new Map<Value, Storage>();
  /** The values that are normalised by the kernel of the product that reads them, where it has few rows. */
  readonly normalized = new Map<Value, NormalizedRows>();
  /** The layer normalisations that products do of their results, and for which sizes. */
  readonly normalizedResults = new Map<Node, (resolve: Resolve) => boolean>();
  /** The cacheAppends that an attention may do. */
  readonly appended = new Map<Node, DeferredAppend>();
  /** The windows of storages that are larger than a binding. */
  readonly windows: Windows;
  /** The copies that products read as texels. */
  readonly texels: TexelCopies = new TexelCopies(this);
  readonly #views = new Map<Value, View>();
  readonly #deferred = new Map<Value, Expression>();
  /** What computes values that no kernel may read. */
  readonly #unread = new Map<Value, () => void>();
  readonly #written = new Set<string>();
  readonly #assigned: { state: View; value: Value }[] = [];

  /** @param graph A graph in which every node but the leaves has a lowering. */
  constructor(readonly graph: Graph, readonly options: PlanOptions) {
    this.uses = new ValueUses(graph);
    this.rounded = options.rounds ? roundedValues(graph, this.uses) : new Set();
    this.#writes = writtenParameters(graph);
    this.windows = new Windows(options.maxBinding);
    this.fusion = new Fusion(this.uses, { ...options, isPacked: (name) => this.isPacked(name) });
  }

  /**
   * Whether products read a parameter packed. A program that trains reads the parameters that it writes as they are stored,
   * and those that other nodes than products read, such as the nodes of the gradients.
   */
  isPacked(name: string): boolean {
    if (this.#writes.size === 0) return true;
    const users = this.uses.of(this.graph.parameters.get(name)!);
    return !this.#writes.has(name) && users.every(({ operator }) => operator.name === "linear");
  }

  get profile(): Profile {
    return this.options.profile;
  }

  /** Lower all nodes with `lower`, then write outputs and states. */
  plan(lower: (node: Node) => void): Step[] {
    for (const node of this.graph.nodes) {
      if (isLeaf(node.operator)) this.#leaf(node);
      else if (!this.fusion.isFused(node)) lower(node);
    }
    for (const [name, value] of this.graph.outputs) {
      if (this.#written.has(name)) continue;
      const storage = this.#boundStorage(name, value.dataType);
      this.windows.note(storage, value.shape);
      this.copy(this.view(value), wholeView(storage, value.dataType, value.shape));
    }
    this.#assignAll();
    return this.steps;
  }

  /** The value's view; what was deferred is computed now. */
  view(value: Value): View {
    const compute = this.#unread.get(value);
    this.#unread.delete(value);
    compute?.();
    const deferred = this.#deferred.get(value);
    if (deferred) {
      this.#deferred.delete(value);
      this.#compute(value, deferred);
    }
    return this.#views.get(value)!;
  }

  /** The value's view, of a leaf also where the walk has not come to it. */
  storedView(value: Value): View {
    if (isLeaf(value.node.operator)) this.#leaf(value.node);
    return this.view(value);
  }

  /** A contiguous view of the value, of a copy if its view is not contiguous. */
  contiguous(value: Value): View {
    return this.contiguousView(this.view(value));
  }

  /** The view itself if it is contiguous, else a contiguous view of a copy. */
  contiguousView(view: View): View {
    return isContiguous(view) ? view : this.#copyOf(view);
  }

  #copyOf(view: View): View {
    const copy = this.temporary(view.dataType, view.shape, float16Of(view.storage));
    this.copy(view, copy);
    return copy;
  }

  /** New memory. @param float16 Whether it holds 16 bits for each number. @default those of float16 */
  temporary(dataType: DataType, shape: Shape, float16: Float16 | undefined = this.#float16Of(dataType)): View {
    const storage = memoryFor(shape, float16);
    this.windows.note(storage, shape);
    return wholeView(storage, dataType, shape);
  }

  /** A contiguous view to compute a value into: the state that it replaces, an output's own buffer, or new memory. */
  target(value: Value): View {
    const state = this.uses.inPlace.get(value);
    if (state) {
      this.texels.forget(this.view(state).storage);
      this.#views.set(value, this.view(state));
      return this.view(state);
    }
    const name = this.uses.outputs.get(value);
    let view = this.temporary(value.dataType, value.shape, this.rounded.has(value) ? "saturated" : undefined);
    if (name !== undefined) {
      view = { ...view, storage: this.#boundStorage(name, value.dataType) };
      this.windows.note(view.storage, value.shape);
      this.#written.add(name);
    }
    this.#views.set(value, view);
    return view;
  }

  /** Compute a value where it is first read, if it is: `compute` makes its target. Outputs are computed now. */
  computeWhenRead(value: Value, compute: () => void): void {
    if (this.uses.outputs.has(value) || this.uses.inPlace.has(value)) compute();
    else this.#unread.set(value, compute);
  }

  /** Note where a value's elements lie. */
  setView(value: Value, view: View): void {
    this.#views.set(value, view);
  }

  /** Add a step of one dispatch. */
  addDispatch(dispatch: Dispatch): void {
    this.steps.push([{ dispatch }]);
  }

  /** Add a copy. */
  copy(from: View, to: View): void {
    for (const [part, target] of this.windows.cut([from, to])) {
      this.addDispatch(copyKernel(part, target, this.profile));
    }
  }

  /** Write one number to all elements of a view. */
  fill(view: View, value: number): void {
    for (const [part] of this.windows.cut([view])) this.addDispatch(fillKernel(part, value, this.profile));
  }

  /** Lower an elementwise node; it is deferred if one node alone reads it that can compute it: an elementwise one of its shape. */
  lowerElementwise(node: Node): void {
    const [value] = node.outputs;
    const operands = node.inputs.map((input) => this.operand(input, value.shape));
    const from = node.inputs.map(({ dataType }) => dataType);
    const code = elementwiseCode(node.operator.name as never, node.attributes, from, value.dataType);
    const expression: Expression = { kind: "expression", dataType: value.dataType, shape: value.shape, operands, code };
    const [user] = this.uses.of(value);
    const canWait = this.uses.isUsedOnce(value) && viewsOf(expression).length < maxViews &&
      (isElementwise(user.operator.name) && !this.fusion.fusedSumOf(user) ||
        computesWhatItNormalizes(user, value, expression, this)) &&
      sameShape(user.outputs[0].shape, value.shape) && !this.uses.writesBetween(node, user);
    if (canWait) this.#deferred.set(value, expression);
    else this.#compute(value, expression);
  }

  /** Copy the views of a state that are used after `writer`, which is about to write the state in place. */
  copyViewsBeforeWrite(state: View, writer: Node): void {
    this.texels.forget(state.storage);
    for (const [value, view] of [...this.#views]) {
      if (view.storage !== state.storage || isLeaf(value.node.operator) || value.node.operator.writesState) continue;
      if (!this.uses.isUsedAfter(value, writer)) continue;
      this.#views.set(value, this.#copyOf(view));
    }
  }

  /** Defer an assignment to the end of the run, unless the value was computed into the state. */
  assign(state: View, value: Value): void {
    if (!this.uses.inPlace.has(value)) this.#assigned.push({ state, value });
  }

  #assignAll(): void {
    const targets = new Set(this.#assigned.map(({ state }) => state.storage));
    const copies = this.#assigned.map(({ state, value }) => {
      const view = this.view(value);
      if (!targets.has(view.storage) || view.storage === state.storage && isContiguous(view)) return { state, view };
      return { state, view: this.#copyOf(view) };
    });
    for (const { state, view } of copies) if (view.storage !== state.storage) this.copy(view, state);
  }

  #float16Of(dataType: DataType): Float16 | undefined {
    return this.profile.float16 && dataType === "float16" ? "exact" : undefined;
  }

  #boundStorage(name: string, dataType: DataType): Storage {
    const float16 = this.#float16Of(dataType);
    return { kind: "bound", name, ...(float16 ? { float16 } : {}) };
  }

  /** A value as an operand of an expression of a shape: what computes it, where that was deferred. */
  operand(value: Value, shape = value.shape): Operand {
    const deferred = this.#deferred.get(value);
    if (deferred && sameShape(deferred.shape, shape)) {
      this.#deferred.delete(value);
      return deferred;
    }
    if (value.node.operator === constantOperator) {
      const { tensor } = value.node.attributes as { tensor: Tensor };
      if (tensor.size === 1) return { kind: "scalar", dataType: tensor.dataType, value: Number(tensor.data[0]) };
    }
    return { kind: "view", view: this.view(value) };
  }

  #compute(value: Value, expression: Expression): void {
    const { name } = value.node.operator;
    const operands = viewsOf(expression).map((view) => broadcastView(view, expression.shape));
    const target = this.target(value);
    for (const [part, ...parts] of this.windows.cut([target, ...operands])) {
      const own = withViews(expression, parts, part.shape);
      const texelsOf = (view: View) => this.texels.ofLarge(view, part.shape);
      const fours = this.profile.texels ? elementwiseFoursKernel(name, own, part, texelsOf, this.profile) : undefined;
      this.addDispatch(fours ?? elementwiseKernel(name, own, part, this.profile));
    }
    this.texels.forget(target.storage);
  }

  #leaf(node: Node): void {
    const [value] = node.outputs;
    if (this.#views.has(value)) return;
    if (node.operator === constantOperator) {
      const { tensor } = node.attributes as { tensor: Tensor };
      this.setView(value, wholeView({ kind: "constant", tensor }, tensor.dataType, tensor.shape));
      return;
    }
    const { name } = node.attributes as NamedLeaf;
    const storage: Storage = node.operator === parameterOperator
      ? { kind: "weights", name, layout: { kind: "raw" } }
      : this.#boundStorage(name, value.dataType);
    this.windows.note(storage, value.shape);
    this.setView(value, wholeView(storage, value.dataType, value.shape));
  }
}
