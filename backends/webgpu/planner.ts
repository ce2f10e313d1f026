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
} from "../../src/graph/mod.ts";
import { sameShape } from "../../src/operators/mod.ts";
import type { DataType, Tensor } from "../../src/tensor/mod.ts";
import {
  countViews,
  elementwiseCode,
  elementwiseKernel,
  type Expression,
  isElementwise,
  type Operand,
} from "./kernels/elementwise.ts";
import { copyKernel } from "./kernels/movement.ts";
import { type Dispatch, elementsOf } from "./kernels/shader.ts";
import { panelWidth } from "./kernels/panels.ts";
import { panelBytes } from "./layout.ts";
import type { Profile } from "./profile.ts";
import { isContiguous, type Resolve, type Storage, type View, wholeView } from "./view.ts";

/** One thing to do: the first variant that serves the sizes it is bound for. */
export type Step = readonly { readonly when?: (resolve: Resolve) => boolean; readonly dispatch: Dispatch }[];

/** What a plan is made for. */
export interface PlanOptions {
  readonly profile: Profile;
  /** Bytes that one binding may have. */
  readonly maxBinding: number;
  /** Whether parameters are states. */
  readonly trainable: boolean;
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
  readonly #views = new Map<Value, View>();
  readonly #pending = new Map<Value, Expression>();
  readonly #users = new Map<Value, Node[]>();
  readonly #lastUse = new Map<Value, number>();
  readonly #outputs = new Map<Value, string>();
  readonly #written = new Set<string>();
  readonly #assigned: { state: View; value: Value }[] = [];
  readonly #writers: number[] = [];
  /** Products that the sum of one other value joins, by the sum; and the products so joined. */
  readonly #sums = new Map<Node, { product: Node; other: Value }>();
  readonly #joined = new Set<Node>();

  /** Products of one x that are one product, by the first; the others are in `#joined`. */
  readonly #together = new Map<Node, Node[]>();

  /** @param graph A graph in which every node but the leaves has a lowering. */
  constructor(readonly graph: Graph, readonly options: PlanOptions) {
    for (const node of graph.nodes) {
      if (node.operator.writesState) this.#writers.push(node.id);
      for (const value of node.inputs) {
        this.#users.set(value, [...this.#users.get(value) ?? [], node]);
        this.#lastUse.set(value, node.id);
      }
    }
    for (const [name, value] of graph.outputs) {
      if (!this.#outputs.has(value)) this.#outputs.set(value, name);
      this.#lastUse.set(value, Infinity);
    }
    for (const node of graph.nodes) this.#findSum(node);
    if (!options.trainable) this.#findTogether();
  }

  get profile(): Profile {
    return this.options.profile;
  }

  /** Lower all nodes with `lower`, then write outputs and states. */
  plan(lower: (node: Node) => void): Step[] {
    for (const node of this.graph.nodes) {
      if (isLeaf(node.operator)) this.#leaf(node);
      else if (!this.#joined.has(node)) lower(node);
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

  /** Where to compute a value, in a row: an output's own buffer, or new memory. */
  target(value: Value): View {
    const name = this.#outputs.get(value);
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
    const sum = this.#sums.get(node);
    if (sum) throw new Error("a joined sum is lowered with its product");
    const [value] = node.outputs;
    const operands = node.inputs.map((input) => this.#operand(input, value.shape));
    const from = node.inputs.map(({ dataType }) => dataType);
    const code = elementwiseCode(node.operator.name as never, node.attributes, from, value.dataType);
    const expression: Expression = { kind: "expression", dataType: value.dataType, shape: value.shape, operands, code };
    const users = this.usersOf(value);
    const canWait = users.length === 1 && !this.#outputs.has(value) && countViews(expression) < maxViews &&
      isElementwise(users[0].operator.name) && !this.#sums.has(users[0]) &&
      sameShape(users[0].outputs[0].shape, value.shape) && !this.#writesBetween(node.id, users[0].id);
    if (canWait) this.#pending.set(value, expression);
    else this.#compute(value, expression);
  }

  /** The nodes that read a value. */
  usersOf(value: Value): readonly Node[] {
    return this.#users.get(value) ?? [];
  }

  /** The product that a sum joins, and what it adds. */
  joinedSum(node: Node): { product: Node; other: Value } | undefined {
    return this.#sums.get(node);
  }

  /** The products that are one with this one, it first. */
  together(node: Node): readonly Node[] {
    return this.#together.get(node) ?? [node];
  }

  /** A state is about to be written in place: views of it that are used later are copied now. */
  beforeWrite(state: View, writer: Node): void {
    for (const [value, view] of [...this.#views]) {
      if (view.storage !== state.storage || isLeaf(value.node.operator) || value.node.operator.writesState) continue;
      if ((this.#lastUse.get(value) ?? -1) <= writer.id) continue;
      const copy = this.temporary(view.dataType, view.shape);
      this.copy(view, copy);
      this.#views.set(value, copy);
    }
  }

  /** Put off an assignment to the end of the run. */
  assign(state: View, value: Value): void {
    this.#assigned.push({ state, value });
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

  #writesBetween(from: number, to: number): boolean {
    return this.#writers.some((id) => id > from && id < to);
  }

  /** Join `add(x, linear(…))` where nothing else reads the product. */
  #findSum(node: Node): void {
    if (node.operator.name !== "add") return;
    const [a, b] = node.inputs;
    for (const [product, other] of [[b, a], [a, b]]) {
      const { node: source } = product;
      const fits = source.operator.name === "linear" && this.#users.get(product)!.length === 1 &&
        !this.#outputs.has(product) && product !== other && sameShape(product.shape, node.outputs[0].shape) &&
        sameShape(other.shape, product.shape) && !this.#writesBetween(source.id, node.id) &&
        !this.#joined.has(source);
      if (!fits) continue;
      this.#sums.set(node, { product: source, other });
      this.#joined.add(source);
      return;
    }
  }

  /** Make products of one value by constant parameters that no other node reads, such as a layer's queries, keys and values, one product. */
  #findTogether(): void {
    const isJoinable = (node: Node) =>
      node.operator.name === "linear" && !this.#joined.has(node) && !this.#outputs.has(node.outputs[0]) &&
      node.inputs.slice(1).every((value) =>
        value.node.operator === parameterOperator && this.usersOf(value).length === 1
      ) &&
      (node.outputs[0].shape.at(-1) as number) % panelWidth === 0;
    const groups = Map.groupBy(this.graph.nodes.filter(isJoinable), (node) => node.inputs[0]);
    for (const nodes of groups.values()) {
      const alike = Map.groupBy(nodes, ({ inputs, attributes }) => `${inputs.length} ${JSON.stringify(attributes)}`);
      for (const [first, ...others] of alike.values()) {
        const all = [first, ...others];
        const bytes = all.reduce(
          (sum, { inputs: [x], outputs: [y] }) => sum + panelBytes(y.shape.at(-1) as number, x.shape.at(-1) as number),
          0,
        );
        if (others.length === 0 || bytes > this.options.maxBinding) continue;
        this.#together.set(first, all);
        others.forEach((node) => this.#joined.add(node));
      }
    }
  }
}
