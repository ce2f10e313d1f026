// The checks that all backends share: parameters against their stored shapes, buffers and sizes against a graph.
import { FormatError, LimnerError, ShapeError } from "../errors/mod.ts";
import { isFloat, sizeOf } from "../tensor/mod.ts";
import type { StoredWeights } from "../weights/mod.ts";
import type { DeviceTensor, TensorPart } from "./backend.ts";
import {
  type Dimension,
  dimensionNames,
  formatShape,
  resolveDimension,
  resolveShape,
  type Sizes,
} from "./dimension.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./value.ts";
import { type NamedLeaf, parameterOperator, stateOperator } from "./leaf.ts";
import type { Operator, TensorType } from "./value.ts";

/**
 * Check that a source has every parameter of a graph, in its shape.
 *
 * @param isTrained Whether programs may write a parameter.
 * @throws {LimnerError} If the graph writes a parameter that is not trained.
 * @throws {FormatError} If a parameter is missing.
 * @throws {ShapeError} If a stored shape is not the one that the graph expects.
 */
export function checkParameters(graph: Graph, source: StoredWeights, isTrained: (name: string) => boolean): void {
  for (const name of writtenParameters(graph)) {
    if (!isTrained(name)) {
      throw new LimnerError(`Cannot compile ${graph.name}: it writes "${name}", which is not trained`);
    }
  }
  for (const [name, { shape, dataType }] of graph.parameters) {
    const stored = source.get(name);
    if (!stored) throw new FormatError(`Cannot load the model: the weights have no tensor "${name}"`, { tensor: name });
    if (stored.shape.join() !== shape.join() || isFloat(stored.dataType) !== isFloat(dataType)) {
      throw new ShapeError(
        `Cannot load the model: "${name}" is ${stored.dataType} ${formatShape(stored.shape)} in the weights, ` +
          `but the configuration makes it ${formatShape(shape)}`,
        { label: name, shapes: [stored.shape, shape] },
      );
    }
  }
}

/** The leaf whose value a node writes. */
export function writtenLeaf(writer: Node): Node {
  let [{ node }] = writer.inputs;
  while (node.operator.writesState) [{ node }] = node.inputs;
  return node;
}

/** The parameters that a graph writes. */
export function writtenParameters(graph: Graph): Set<string> {
  return writtenIn(graph, parameterOperator);
}

/** The names of the leaves of an operator that a graph writes. */
function writtenIn({ nodes }: Graph, leaf: Operator<NamedLeaf>): Set<string> {
  const leaves = nodes.filter(({ operator }) => operator.writesState).map(writtenLeaf);
  const written = leaves.filter(({ operator }) => operator === leaf);
  return new Set(written.map(({ attributes }) => (attributes as NamedLeaf).name));
}

/** What a graph requires of the sizes and states that it runs with. */
interface RunRequirements {
  /** The names of all sizes that a run needs: those in any value's shape, and in attributes such as a slice's starts. */
  readonly names: ReadonlySet<string>;
  /** The sizes that occur in the shape of an input, a state or an output: they may not vary between executions. */
  readonly fixed: ReadonlySet<string>;
  readonly bounds: readonly Bound[];
  /** The states that are written. */
  readonly written: ReadonlySet<string>;
}

const known = new WeakMap<Graph, RunRequirements>();

/** The requirements of a graph, computed once. */
function requirementsOf(graph: Graph): RunRequirements {
  let requirements = known.get(graph);
  if (!requirements) {
    const written = writtenIn(graph, stateOperator);
    requirements = { names: namesOf(graph), fixed: fixedOf(graph), bounds: boundsOf(graph), written };
    known.set(graph, requirements);
  }
  return requirements;
}

function namesOf(graph: Graph): Set<string> {
  const names = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === "string" && /^[\w+*-]+$/.test(value)) dimensionNames(value).forEach((name) => names.add(name));
    else if (Array.isArray(value)) value.forEach(collect);
  };
  for (const node of graph.nodes) {
    for (const { shape } of node.outputs) collect(shape);
    const { starts, sizes, beginning, ending, start, size, at, length } = node.attributes as Record<string, unknown>;
    [starts, sizes, beginning, ending, start, size, at, length].forEach(collect);
  }
  return names;
}

function fixedOf({ inputs, states, outputs }: Graph): Set<string> {
  const shapes = [inputs, states, outputs].flatMap((values) => [...values.values()].map(({ shape }) => shape));
  return new Set(shapes.flat().flatMap(dimensionNames));
}

/** A number that may not be negative in any execution, and the node that requires it. */
interface Bound {
  readonly dimension: Dimension;
  readonly node: Node;
}

/** The bounds of a graph's nodes that depend on sizes, each once. */
function boundsOf(graph: Graph): Bound[] {
  const bounds = new Map<Dimension, Bound>();
  for (const node of graph.nodes) {
    const lengths = node.outputs.flatMap(({ shape }) => shape);
    for (const bound of [...lengths, ...node.operator.bounds?.(node.inputs, node.attributes) ?? []]) {
      // A sum of sizes cannot be negative.
      if (typeof bound === "string" && bound.includes("-") && !bounds.has(bound)) {
        bounds.set(bound, { dimension: bound, node });
      }
    }
  }
  return [...bounds.values()];
}

/** The tensor, or the part of one, that an input, a state or an output is bound to. */
export interface BoundTensor<T extends DeviceTensor = DeviceTensor> extends TensorPart<T> {
  readonly shape: readonly number[];
  /** Whether a run reads the elements that were there before it. */
  readonly read: boolean;
  readonly written: boolean;
}

/** One use of a program: its buffers, its sizes, which sizes must stay the same in every execution, and their maxima. */
export interface Binding<T extends DeviceTensor = DeviceTensor> extends RunRequirements {
  readonly graph: Graph;
  readonly maxima: Sizes;
  readonly parts: Readonly<Record<string, BoundTensor<T>>>;
}

/**
 * Check the buffers and sizes that a graph is bound to.
 *
 * @throws {ShapeError} If a buffer or a size is missing or superfluous, or does not fit, or what is written overlaps.
 */
export function checkBinding<T extends DeviceTensor>(
  graph: Graph,
  tensors: Readonly<Record<string, T | TensorPart<T>>>,
  maxima: Sizes,
): Binding<T> {
  const requirements = requirementsOf(graph);
  const fail = (reason: string): never => {
    throw new ShapeError(`Cannot bind ${graph.name}: ${reason}`, { op: graph.name });
  };
  for (const name of requirements.names) if (maxima[name] === undefined) fail(`no size is given for "${name}"`);
  const parts: Record<string, BoundTensor<T>> = {};
  const add = (kind: Kind, name: string, { shape, dataType }: TensorType) => {
    const given = tensors[name] ?? fail(`no buffer is given for the ${kind} "${name}"`);
    const needed = resolveShape(shape, maxima);
    const reason = misfit(kind, { shape: needed, dataType }, given);
    if (reason !== undefined) fail(`the ${kind} "${name}" ${reason}`);
    const at = "tensor" in given ? given : { tensor: given, offset: 0 };
    const written = kind === "output" || requirements.written.has(name);
    parts[name] = { ...at, shape: needed, read: kind !== "output", written };
  };
  for (const [name, value] of graph.inputs) add("input", name, value);
  for (const [name, value] of graph.states) add("state", name, value);
  for (const [name, value] of graph.outputs) add("output", name, value);
  for (const name of Object.keys(tensors)) if (!parts[name]) fail(`it has no input, state or output "${name}"`);
  const overlap = findOverlap(parts);
  if (overlap) fail(`"${overlap[0]}" is written, and shares elements of its buffer with "${overlap[1]}"`);
  return { graph, maxima, parts, ...requirements };
}

type Kind = "input" | "state" | "output";

/** The reason why an input, a state or an output cannot be bound to a tensor or a part of one; undefined where it can. */
function misfit(
  kind: Kind,
  { shape, dataType }: { readonly shape: readonly number[]; readonly dataType: string },
  given: DeviceTensor | TensorPart,
): string | undefined {
  const isPart = "tensor" in given;
  const { tensor, offset } = isPart ? given : { tensor: given, offset: 0 };
  if (tensor.dataType !== dataType) return `is ${dataType}, its buffer ${tensor.dataType}`;
  if (!(Number.isInteger(offset) && offset >= 0)) {
    return `begins at element ${offset}, expected a whole number from 0 on`;
  }
  const fits = kind === "state" && !isPart
    ? shape.join() === tensor.capacity.join()
    : offset + sizeOf(shape) <= sizeOf(tensor.capacity);
  if (fits) return undefined;
  const from = isPart ? ` from element ${offset} on` : "";
  return `needs ${formatShape(shape)}${from}, its buffer is for ${formatShape(tensor.capacity)}`;
}

/** A part that is written, and another that shares elements with it. */
function findOverlap(parts: Readonly<Record<string, BoundTensor>>): [written: string, other: string] | undefined {
  for (const together of Map.groupBy(Object.entries(parts), ([, { tensor }]) => tensor).values()) {
    for (const [name, part] of together.filter(([, { written }]) => written)) {
      const end = part.offset + sizeOf(part.shape);
      const found = together.find(([, other]) =>
        other !== part && other.offset < end && part.offset < other.offset + sizeOf(other.shape)
      );
      if (found) return [name, found[0]];
    }
  }
}

/**
 * The sizes of one execution.
 *
 * @throws {ShapeError} If a size is over its maximum, or differs from it where it must not, or if together they reach outside a tensor.
 */
export function sizesOfRun({ graph, maxima, fixed, bounds }: Binding, sizes: Sizes = {}): Sizes {
  for (const [name, size] of Object.entries(sizes)) {
    const maximum = maxima[name];
    if (maximum === undefined || size > maximum || size < 0 || !Number.isInteger(size)) {
      throw new ShapeError(`Cannot run with ${name} = ${size}: it was bound with at most ${maximum}`);
    }
    if (size !== maximum && fixed.has(name)) {
      throw new ShapeError(`Cannot run with ${name} = ${size}: it is ${maximum} in the shape of a bound tensor`);
    }
  }
  const all = { ...maxima, ...sizes };
  for (const { dimension, node: { operator: { name }, label } } of bounds) {
    const value = resolveDimension(dimension, all);
    if (value >= 0) continue;
    const given = dimensionNames(dimension).map((size) => `${size} = ${all[size]}`).join(", ");
    throw new ShapeError(
      `Cannot run ${graph.name} with ${given}: ${name}${label && ` (at ${label})`} would reach outside its tensor, ` +
        `since ${dimension} is ${value}`,
      { op: name, label },
    );
  }
  return all;
}

/** The value of a dimension attribute in one execution; absent ones are `otherwise`. */
export function resolveAttribute(value: string | number | undefined, sizes: Sizes, otherwise = 0): number {
  return value === undefined ? otherwise : resolveDimension(value, sizes);
}
