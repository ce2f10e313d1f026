// Which assignments may write their state at once, so that no second copy of it is held: an optimiser's parameters and
// moments. Think of the node that computes the new value as overwriting the old one, element by element, while it reads
// it: whatever else reads the old value must have run earlier, and only the node's ancestors are sure to have.
import { type Graph, isLeaf, type Node, type Value } from "../graph/mod.ts";
import { elementwise } from "../operators/mod.ts";

/** Operators whose result a backend may keep as a view of their operand. */
const views = new Set(["reshape", "transpose", "expand", "slice"]);

/** Whether a node depends on another. */
export type DependsOn = (node: Node, other: Node) => boolean;

/** Finds out, once for all nodes of a graph, which depend on which: a bit for each pair of nodes. */
export function dependencies({ nodes }: Graph): DependsOn {
  const words = Math.ceil(nodes.length / 32);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const ancestors = new Uint32Array(nodes.length * words);
  nodes.forEach((node, i) => {
    const own = ancestors.subarray(i * words, (i + 1) * words);
    for (const source of new Set(node.inputs.map((value) => index.get(value.node)!))) {
      for (let word = 0; word <= source >>> 5; word++) own[word] |= ancestors[source * words + word];
      own[source >>> 5] |= 1 << (source & 31);
    }
  });
  return (node, other) => {
    const [i, j] = [index.get(node)!, index.get(other)!];
    return (ancestors[i * words + (j >>> 5)] >>> (j & 31) & 1) === 1;
  };
}

/**
 * The values that may be computed into the states that they are assigned to, each with its state's old value.
 *
 * A backend may compute such a value by one kernel together with the elementwise nodes that it reads, and with what computes
 * their operands: each of them reads the old value only at the element that it writes.
 */
export function assignedInPlace(graph: Graph): Map<Value, Value> {
  const writers = graph.nodes.filter(({ operator }) => operator.writesState === "atEnd");
  if (writers.length === 0) return new Map();
  const users = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of new Set(node.inputs)) users.set(value, [...users.get(value) ?? [], node]);
  }
  const outputs = new Set(graph.outputs.values());
  const dependsOn = dependencies(graph);
  const found = new Map<Value, Value>();
  for (const writer of writers) {
    const [state, value] = writer.inputs;
    const isOnlyWrite = isLeaf(state.node.operator) && writesOf(users.get(writer.outputs[0])).length === 0 &&
      writesOf(users.get(value)).length === 1;
    if (!isOnlyWrite || !isElementwise(value.node)) continue;
    const old = withViews(state, users);
    if ([...old].some((view) => outputs.has(view))) continue;
    const others = [...old].flatMap((view) => users.get(view) ?? []);
    const areBefore = others.every((node) => node === writer || node === value.node || dependsOn(value.node, node));
    if (areBefore && readsByElement(value.node, state, old)) found.set(value, state);
  }
  return found;
}

/** Those of the nodes that write a state. */
function writesOf(nodes: readonly Node[] = []): Node[] {
  return nodes.filter(({ operator }) => operator.writesState);
}

function isElementwise(node: Node): boolean {
  return Object.hasOwn(elementwise, node.operator.name);
}

/** A value and all that may be views of it. */
function withViews(value: Value, users: ReadonlyMap<Value, readonly Node[]>): Set<Value> {
  const found = new Set([value]);
  for (const view of found) {
    for (const node of users.get(view) ?? []) if (views.has(node.operator.name)) found.add(node.outputs[0]);
  }
  return found;
}

/** Whether a node, with those that may be fused with it, reads a state's old value only at the element that it writes. */
function readsByElement(last: Node, state: Value, old: ReadonlySet<Value>): boolean {
  const together = new Set([last]);
  for (const node of together) {
    for (const operand of node.inputs) {
      // The last node has the state's shape too, so the operand is not broadcast: broadcasting only widens.
      if (operand === state) continue;
      if (isElementwise(operand.node)) {
        together.add(operand.node);
        continue;
      }
      let source = operand;
      while (views.has(source.node.operator.name) && !old.has(source)) source = source.node.inputs[0];
      if (old.has(source) || source.node.inputs.some((value) => old.has(value))) return false;
    }
  }
  return true;
}
