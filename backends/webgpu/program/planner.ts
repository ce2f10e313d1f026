// From a graph to dispatches: each node's lowering asks the planner for its operands' views and a target, and adds steps.
// What can be put off is: an elementwise node that one other reads joins its kernel, a sum joins the product before it.
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
  countViews,
  elementwiseCode,
  elementwiseKernel,
  type Expression,
  isElementwise,
  type Operand,
} from "../kernels/elementwise.ts";
import { copyKernel } from "../kernels/movement.ts";
import { type Dispatch, elementsOf } from "../kernels/shader.ts";
import { Joins } from "./fusion.ts";
import type { Profile } from "../device/profile.ts";
import { Uses } from "./value_uses.ts";
import { isContiguous, type Resolve, type Storage, type View, wholeView } from "./view.ts";

/** One thing to do: the first variant that serves the sizes it is bound for. */
export type Step = readonly { readonly when?: (resolve: Resolve) => boolean; readonly dispatch: Dispatch }[];

/** What a plan is made for. */
export interface PlanOptions {
  readonly profile: Profile;
  /** Bytes that one binding may have. */
  readonly maxBinding: number;
}

/** A kernel reads at most this many views. */
const maxViews = 6;

/** The number of axes' elements as a storage's size. */
function sizeOfShape(shape: Shape): Extract<Storage, { kind: "temporary" }> {
  const elements = elementsOf(shape);
  return { kind: "temporary", elements: (resolve) => resolve(elements) };
}

/** Builds the steps of a graph. */
export class Planner {
  readonly steps: Step[] = [];
  readonly uses: Uses;
  readonly joins: Joins;
  readonly #writes: ReadonlySet<string>;
  readonly #views = new Map<Value, View>();
  readonly #pending = new Map<Value, Expression>();
  readonly #written = new Set<string>();
  readonly #assigned: { state: View; value: Value }[] = [];

  /** @param graph A graph in which every node but the leaves has a lowering. */
  constructor(readonly graph: Graph, readonly options: PlanOptions) {
    this.uses = new Uses(graph);
    this.#writes = writtenParameters(graph);
    this.joins = new Joins(this.uses, { ...options, packs: (name) => this.packs(name) });
  }

  /**
   * Whether products read a parameter packed. A program that trains reads what it writes as it is stored, and so what its
   * gradients read by other ways than products.
   */
  packs(name: string): boolean {
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
      else if (!this.joins.has(node)) lower(node);
    }
    for (const [name, value] of this.graph.outputs) {
      if (this.#written.has(name)) continue;
      const storage: Storage = { kind: "bound", name };
      this.copy(this.view(value), wholeView(storage, value.dataType, value.shape));
    }
    this.#assignAll();
    return this.steps;
  }

  /** The value's elements; an expression is computed now. */
  view(value: Value): View {
    const pending = this.#pending.get(value);
    if (pending) {
      this.#pending.delete(value);
      this.#compute(value, pending);
    }
    return this.#views.get(value)!;
  }

  /** The value's elements in a row, copied if they are not. */
  inRow(value: Value): View {
    return this.viewInRow(this.view(value));
  }

  /** The view's elements in a row, copied if they are not. */
  viewInRow(view: View): View {
    if (isContiguous(view)) return view;
    const copy = this.temporary(view.dataType, view.shape);
    this.copy(view, copy);
    return copy;
  }

  /** New memory. */
  temporary(dataType: DataType, shape: Shape): View {
    return wholeView(sizeOfShape(shape), dataType, shape);
  }

  /** Where to compute a value, in a row: the state that it replaces, an output's own buffer, or new memory. */
  target(value: Value): View {
    const state = this.uses.inPlace.get(value);
    if (state) {
      this.#views.set(value, this.view(state));
      return this.view(state);
    }
    const name = this.uses.outputs.get(value);
    let view = this.temporary(value.dataType, value.shape);
    if (name !== undefined) {
      view = { ...view, storage: { kind: "bound", name } };
      this.#written.add(name);
    }
    this.#views.set(value, view);
    return view;
  }

  /** Say where a value is. */
  set(value: Value, view: View): void {
    this.#views.set(value, view);
  }

  /** Add a step. */
  add(dispatch: Dispatch): void {
    this.steps.push([{ dispatch }]);
  }

  /** Add a copy. */
  copy(from: View, to: View): void {
    this.add(copyKernel(from, to, this.profile));
  }

  /** Lower an elementwise node: put off if one elementwise node of its shape reads it. */
  expression(node: Node): void {
    const [value] = node.outputs;
    const operands = node.inputs.map((input) => this.#operand(input, value.shape));
    const from = node.inputs.map(({ dataType }) => dataType);
    const code = elementwiseCode(node.operator.name as never, node.attributes, from, value.dataType);
    const expression: Expression = { kind: "expression", dataType: value.dataType, shape: value.shape, operands, code };
    const [user] = this.uses.of(value);
    const canWait = this.uses.isOnce(value) && countViews(expression) < maxViews &&
      isElementwise(user.operator.name) && !this.joins.sumOf(user) &&
      sameShape(user.outputs[0].shape, value.shape) && !this.uses.writesBetween(node, user);
    if (canWait) this.#pending.set(value, expression);
    else this.#compute(value, expression);
  }

  /** A state is about to be written in place: views of it that are used later are copied now. */
  beforeWrite(state: View, writer: Node): void {
    for (const [value, view] of [...this.#views]) {
      if (view.storage !== state.storage || isLeaf(value.node.operator) || value.node.operator.writesState) continue;
      if (!this.uses.isAfter(value, writer)) continue;
      const copy = this.temporary(view.dataType, view.shape);
      this.copy(view, copy);
      this.#views.set(value, copy);
    }
  }

  /** Put off an assignment to the end of the run, where the value was not computed into the state. */
  assign(state: View, value: Value): void {
    if (!this.uses.inPlace.has(value)) this.#assigned.push({ state, value });
  }

  #assignAll(): void {
    const targets = new Set(this.#assigned.map(({ state }) => state.storage));
    const copies = this.#assigned.map(({ state, value }) => {
      const view = this.view(value);
      if (!targets.has(view.storage) || view.storage === state.storage && isContiguous(view)) return { state, view };
      const copy = this.temporary(view.dataType, view.shape);
      this.copy(view, copy);
      return { state, view: copy };
    });
    for (const { state, view } of copies) if (view.storage !== state.storage) this.copy(view, state);
  }

  #operand(value: Value, shape: Shape): Operand {
    const pending = this.#pending.get(value);
    if (pending && sameShape(pending.shape, shape)) {
      this.#pending.delete(value);
      return pending;
    }
    if (value.node.operator === constantOperator) {
      const { tensor } = value.node.attributes as { tensor: Tensor };
      if (tensor.size === 1) return { kind: "scalar", dataType: tensor.dataType, value: Number(tensor.data[0]) };
    }
    return { kind: "view", view: this.view(value) };
  }

  #compute(value: Value, expression: Expression): void {
    const target = this.target(value);
    this.add(elementwiseKernel(value.node.operator.name, expression, target, this.profile));
  }

  #leaf(node: Node): void {
    const [value] = node.outputs;
    if (node.operator === constantOperator) {
      const { tensor } = node.attributes as { tensor: Tensor };
      this.set(value, wholeView({ kind: "constant", tensor }, tensor.dataType, tensor.shape));
      return;
    }
    const { name } = node.attributes as NamedLeaf;
    const storage: Storage = node.operator === parameterOperator
      ? { kind: "weights", name, layout: { kind: "raw" } }
      : { kind: "bound", name };
    this.set(value, wholeView(storage, value.dataType, value.shape));
  }
}
