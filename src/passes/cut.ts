// A program cut into several that run one after another, so that other work fits between them: an encoder's layers. Think of
// the nodes in their order, and of a place between two of them where a single value is still needed that depends on the
// inputs: that value is an output of one part and an input of the next. What depends on parameters alone is computed again.
import { LimnerError } from "../errors/mod.ts";
import { type Graph, GraphBuilder, inputOperator, isLeaf, type Node, resolveShape, type Value } from "../graph/mod.ts";
import { sizeOf } from "../tensor/mod.ts";
import { copyNode } from "./rewrite.ts";

/** The names of all sizes, each 1: work is compared for one picture and one row. */
const ones: Readonly<Record<string, number>> = new Proxy({}, { get: () => 1 });

/** The multiplications of a node, or its elements where it has none. */
function workOf({ operator: { name }, inputs, outputs }: Node): number {
  const elements = outputs.reduce((sum, { shape }) => sum + sizeOf(resolveShape(shape, ones)), 0);
  if (name === "linear" || name === "matmul") return elements * resolveShape(inputs[0].shape, ones).at(-1)!;
  if (name === "attention") return 2 * elements * resolveShape(inputs[1].shape, ones)[2];
  return elements;
}

/** The values that depend on inputs. */
function dependents(graph: Graph): Set<Value> {
  const found = new Set<Value>();
  for (const { operator, inputs, outputs } of graph.nodes) {
    if (operator !== inputOperator && !inputs.some((value) => found.has(value))) continue;
    for (const value of outputs) found.add(value);
  }
  return found;
}

/** A place between two nodes: the first nodes, how many; the one value that is needed after them; their share of the work. */
interface Place {
  readonly nodes: number;
  readonly value: Value;
  readonly share: number;
}

/** The places where a graph can be cut. */
function placesOf(graph: Graph, depends: ReadonlySet<Value>): Place[] {
  const lastUse = new Map<Value, number>();
  graph.nodes.forEach((node, i) => node.inputs.forEach((value) => lastUse.set(value, i)));
  const total = graph.nodes.reduce((sum, node) => sum + workOf(node), 0);
  const live = new Set<Value>();
  const places: Place[] = [];
  let done = 0;
  graph.nodes.forEach((node, i) => {
    done += workOf(node);
    for (const value of node.outputs) if (depends.has(value) && lastUse.get(value)! > i) live.add(value);
    for (const value of node.inputs) if (lastUse.get(value)! <= i) live.delete(value);
    const [value] = live;
    if (live.size !== 1 || isLeaf(value.node.operator)) return;
    places.push({ nodes: i + 1, value, share: done / total });
  });
  return places;
}

/** The places that cut a graph into parts of nearly equal work. */
function choosePlaces(graph: Graph, parts: number, depends: ReadonlySet<Value>): Place[] {
  // Of places with the same value the first: what follows are its readers that nothing has to wait for.
  const all = placesOf(graph, depends).filter(({ value }, i, list) => list[i - 1]?.value !== value);
  if (!Number.isInteger(parts) || parts < 1 || all.length < parts - 1) {
    throw new LimnerError(
      `Cannot cut ${graph.name} into ${parts} parts: expected a whole number from 1 to ${all.length + 1}`,
    );
  }
  const chosen: Place[] = [];
  for (let part = 1; part < parts; part++) {
    // As many places stay as parts are to come.
    const open = all.slice(chosen.length ? all.indexOf(chosen.at(-1)!) + 1 : 0, all.length - (parts - 1 - part));
    chosen.push(open.reduce((best, place) => {
      const far = ({ share }: Place) => Math.abs(share - part / parts);
      return far(place) < far(best) ? place : best;
    }));
  }
  return chosen;
}

/** The name of the value that the first `part` parts hand on. */
const handed = (part: number): string => `part.${part}`;

/**
 * Cut a program into parts of nearly equal work, to be run in their order.
 *
 * @param graph A program without states.
 * @param parts How many.
 * @returns The parts. Each part but the last has an output `part.N` that is an input of the next; other inputs and outputs
 * keep their names.
 * @throws {LimnerError} If it has states, or too few places where a single value passes.
 */
export function cutGraph(graph: Graph, parts: number): Graph[] {
  if (graph.states.size > 0) throw new LimnerError(`Cannot cut ${graph.name}: it has states`);
  const depends = dependents(graph);
  const places = choosePlaces(graph, parts, depends);
  return Array.from({ length: parts }, (_, part) => buildPart(graph, part, { places, depends }));
}

function buildPart(
  graph: Graph,
  part: number,
  { places, depends }: { places: readonly Place[]; depends: ReadonlySet<Value> },
): Graph {
  const [before, after] = [places[part - 1], places[part]];
  const builder = new GraphBuilder(places.length ? `${graph.name} ${part + 1}/${places.length + 1}` : graph.name);
  const values = new Map<Value, Value>();
  const find = (value: Value): Value => {
    if (value === before?.value) return builder.input(handed(part), value.dataType, value.shape);
    if (!values.has(value)) copy(value.node);
    return values.get(value)!;
  };
  const copy = (node: Node): void => {
    const inputs = node.inputs.map(find);
    const outputs = builder.scope(node.label, () => copyNode(node, inputs, builder));
    node.outputs.forEach((value, i) => values.set(value, outputs[i]));
  };
  const own = graph.nodes.slice(before?.nodes ?? 0, after?.nodes);
  // What depends on no input is copied where it is needed.
  for (const node of own) if (!isLeaf(node.operator) && node.outputs.some((value) => depends.has(value))) copy(node);
  if (after) builder.output(handed(part + 1), find(after.value));
  for (const [name, value] of graph.outputs) {
    const isOwn = own.includes(value.node) || (part === 0 && !depends.has(value));
    if (isOwn) builder.output(name, find(value));
  }
  return builder.build();
}
