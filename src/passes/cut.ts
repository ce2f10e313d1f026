// A program cut into several that run one after another, so that other work fits between them: an encoder's layers. Think of
// the nodes in their order, and of a place between two of them where a single value is still needed that depends on the
// inputs: that value is an output of one part and an input of the next. What depends on parameters alone is computed again.
// A sum and its normalisation stay together, since a runtime that computes them in one go rounds otherwise.
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

/** A place between two nodes: the first nodes, how many; the values that are needed after them; their share of the work. */
interface Place {
  readonly nodes: number;
  readonly values: readonly Value[];
  readonly share: number;
}

const isNormalization = ({ operator: { name } }: Node): boolean => name === "layerNormalization";

/** The values that are normalised. */
function normalized(graph: Graph): Set<Value> {
  return new Set(graph.nodes.filter(isNormalization).map(({ inputs: [x] }) => x));
}

/** Whether a graph may be cut after a node where these values are needed later. */
function mayCut(node: Node, live: ReadonlySet<Value>, normalized: ReadonlySet<Value>): boolean {
  const [value] = live;
  if (isNormalization(node)) {
    // The sum goes on beside its normalisation.
    const own = new Set([node.inputs[0], node.outputs[0]]);
    return live.size > 0 && [...live].every((value) => own.has(value));
  }
  return live.size === 1 && !isLeaf(value.node.operator) && !normalized.has(value);
}

/** The places where a graph can be cut. */
function placesOf(graph: Graph, depends: ReadonlySet<Value>): Place[] {
  const lastUse = new Map<Value, number>();
  graph.nodes.forEach((node, i) => node.inputs.forEach((value) => lastUse.set(value, i)));
  const total = graph.nodes.reduce((sum, node) => sum + workOf(node), 0);
  const live = new Set<Value>();
  const together = normalized(graph);
  const places: Place[] = [];
  let done = 0;
  graph.nodes.forEach((node, i) => {
    done += workOf(node);
    for (const value of node.outputs) if (depends.has(value) && lastUse.get(value)! > i) live.add(value);
    for (const value of node.inputs) if (lastUse.get(value)! <= i) live.delete(value);
    if (mayCut(node, live, together)) places.push({ nodes: i + 1, values: [...live], share: done / total });
  });
  return places;
}

/** The places that cut a graph into parts of nearly equal work. */
function choosePlaces(graph: Graph, parts: number, depends: ReadonlySet<Value>): Place[] {
  // Between two places there has to be some work.
  const all = placesOf(graph, depends).filter(({ share }, i, list) => share > (list[i - 1]?.share ?? 0));
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

/** The name of a value that the first `part` parts hand on. */
const handed = (part: number, index: number): string => `part.${part}.${index}`;

/**
 * Cut a program into parts of nearly equal work, to be run in their order.
 *
 * @param graph A program without states.
 * @param parts How many.
 * @returns The parts. Each part but the last has outputs `part.N.0`, … that are inputs of the next; other inputs and outputs
 * keep their names.
 * @throws {LimnerError} If it has states, or too few places to be cut.
 */
export function cutGraph(graph: Graph, parts: number): Graph[] {
  if (graph.states.size > 0) throw new LimnerError(`Cannot cut ${graph.name}: it has states`);
  const depends = dependents(graph);
  const places = choosePlaces(graph, parts, depends);
  return Array.from({ length: parts }, (_, part) => buildPart(graph, part, { places, depends }));
}

/**
 * The nodes of a part: those between its places that depend on an input, and what they and its outputs need that does not. They
 * keep the graph's order, since a runtime may round otherwise where it meets them in another.
 */
function nodesOf(graph: Graph, own: ReadonlySet<Node>, depends: ReadonlySet<Value>, outputs: readonly Value[]): Node[] {
  const needed = new Set(outputs.map(({ node }) => node));
  const isOf = (node: Node) => node.outputs.some((value) => depends.has(value)) ? own.has(node) : needed.has(node);
  const found: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!isOf(node)) continue;
    found.unshift(node);
    for (const value of node.inputs) needed.add(value.node);
  }
  return found;
}

function buildPart(
  graph: Graph,
  part: number,
  { places, depends }: { places: readonly Place[]; depends: ReadonlySet<Value> },
): Graph {
  const [before, after] = [places[part - 1], places[part]];
  const builder = new GraphBuilder(places.length ? `${graph.name} ${part + 1}/${places.length + 1}` : graph.name);
  const own = new Set(graph.nodes.slice(before?.nodes ?? 0, after?.nodes));
  const outputs = [...graph.outputs].filter(([, value]) => depends.has(value) ? own.has(value.node) : part === 0);
  const values = new Map<Value, Value>(
    before?.values.map((value, i) => [value, builder.input(handed(part, i), value.dataType, value.shape)]),
  );
  for (const node of nodesOf(graph, own, depends, outputs.map(([, value]) => value))) {
    const inputs = node.inputs.map((value) => values.get(value)!);
    const copied = builder.scope(node.label, () => copyNode(node, inputs, builder));
    node.outputs.forEach((value, i) => values.set(value, copied[i]));
  }
  after?.values.forEach((value, i) => builder.output(handed(part + 1, i), values.get(value)!));
  for (const [name, value] of outputs) builder.output(name, values.get(value)!);
  return builder.build();
}
