// Graphs as ONNX models, without any runtime. Parameters are initializers whose bytes lie in the checkpoint's own file, or
// inputs that the backend binds; named sizes that operators need as numbers are inputs too.
import { ShapeError } from "../../src/errors/mod.ts";
import {
  type Dimension,
  type Graph,
  isLeaf,
  type NamedLeaf,
  type Node,
  type Value,
  writtenLeaf,
} from "../../src/graph/mod.ts";
import { primitives } from "../../src/operators/mod.ts";
import { assignedInPlace, dependencies } from "../../src/passes/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { readsItsCache, usedLength } from "./attention_lowering.ts";
import type { BlockInitializer, BlockLocation, IntegerProducts } from "./block_parameter.ts";
import { compositeLowerings, isNative } from "./composite_lowerings.ts";
import { type Lowering, LoweringContext, type SizeInput } from "./lowering_context.ts";
import { allOperators, type OperatorSupport } from "./operator_support.ts";
import type { FileRegion } from "../../src/weights/mod.ts";
import { primitiveLowerings } from "./primitive_lowerings.ts";

/** A graph as ONNX. */
export interface OnnxModel {
  /** The ModelProto's bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The sizes that are inputs: `size:…`, int64, and `length:…`, int32, as GroupQueryAttention takes them, without a Cast. */
  readonly sizes: readonly SizeInput[];
  /** The parameters that are inputs `parameter:NAME`. */
  readonly boundParameters: ReadonlySet<string>;
  /** The initializers of those that are read in blocks. */
  readonly blockInitializers: readonly BlockInitializer[];
  /** Those that are initializers of which a runtime computes other values while it compiles. */
  readonly foldedParameters: ReadonlySet<string>;
  /** The states and parameters whose new value is the output `next:NAME`, and when it replaces the old one. */
  readonly writes: ReadonlyMap<string, { kind: "state" | "parameter"; when: "inPlace" | "atEnd" }>;
  /** Whether attention may append to the caches that it reads. */
  readonly fusesCaches: boolean;
  /** The lengths of each GroupQueryAttention, which takes several rows of several tokens only where there is no past. */
  readonly fusedCaches: readonly FusedCache[];
}

/** The lengths of an attention that appends to its caches. */
export interface FusedCache {
  readonly rows: Dimension;
  readonly T: Dimension;
  /** Past and T; of the longest row where rows have lengths of their own. */
  readonly length: Dimension;
}

/** Where a parameter's bytes are: in a file, as they are or in blocks, or in a buffer that is bound at run time. */
export type ParameterLocation = FileRegion | BlockLocation | "bound";

/** Whether a node is lowered as it is, without being decomposed, for a runtime with these operators. */
export function supportsNode(node: Node, operators = allOperators): boolean {
  return Object.hasOwn(primitives, node.operator.name) || isNative(node, operators);
}

/**
 * Check that every node that reads a state before it is written in place is an ancestor of the node that writes: ONNX Runtime
 * orders nodes by their operands only.
 */
function checkOrder(graph: Graph): void {
  const writers = graph.nodes.filter(({ operator }) => operator.writesState === "inPlace");
  if (writers.length === 0) return;
  const dependsOn = dependencies(graph);
  for (const writer of writers) {
    for (const reader of graph.nodes) {
      if (reader === writer || !reader.inputs.includes(writer.inputs[0]) || dependsOn(writer, reader)) continue;
      throw new ShapeError(
        `Cannot compile ${graph.name}: ${reader.operator.name} (at ${reader.label}) reads a state that ` +
          `${writer.operator.name} (at ${writer.label}) overwrites, but what is written does not depend on it`,
        { op: reader.operator.name, label: reader.label },
      );
    }
  }
}

/** The value that is assigned, where a value is what an assignment returns; else the value itself. */
function assignedValue(value: Value): Value {
  while (value.node.operator.writesState === "atEnd") value = value.node.inputs[1];
  return value;
}

function lowerLeaf(context: LoweringContext, node: Node, place: (name: string) => ParameterLocation): string {
  const kind = node.operator.name;
  const [{ dataType, shape }] = node.outputs;
  if (kind === "constant") {
    const { data } = (node.attributes as { tensor: Tensor }).tensor;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return context.model.initializer(context.model.fresh(), dataType, shape as readonly number[], bytes);
  }
  const { name } = node.attributes as NamedLeaf;
  const at = kind === "parameter" ? place(name) : "bound";
  if (typeof at === "object" && "encoding" in at) {
    context.blocks.set(node.outputs[0], { ...at, name, shape: shape as readonly number[] });
    return `parameter:${name}`; // a name that nothing reads: readsBlocks says so
  }
  if (typeof at === "object") {
    return context.model.initializer(`parameter:${name}`, dataType, shape as readonly number[], at);
  }
  return context.model.input(`${kind}:${name}`, dataType, shape);
}

/** Options of {@linkcode toOnnx}. */
export interface LoweringOptions {
  /** The optional operators that the runtime has. @default all */
  readonly operators?: OperatorSupport;
  /** Whether attention may append to the caches that it reads, where the runtime can. @default true */
  readonly fusesCaches?: boolean;
  /** Which products with weights in blocks round their inputs to 8 bits. @default none of 8 bits */
  readonly products?: IntegerProducts;
  /**
   * Whether Scaler, of ONNX's classical machine learning, makes float32 of whole numbers instead of Cast. The two give the same; but of
   * all types that it knows, Cast is one function of half a megabyte in WebAssembly, for which V8 needs 19 MB at first, and 114 MB
   * to optimise it. @default false
   */
  readonly scalesIntegers?: boolean;
}

/**
 * Write a graph as an ONNX model.
 *
 * @param graph Made of primitives and of composites that `supportsNode` accepts.
 * @param place Returns where a parameter is.
 * @throws {ShapeError} If a state is written in place while something else may still read it.
 */
export function toOnnx(
  graph: Graph,
  place: (name: string) => ParameterLocation,
  { operators = allOperators, products = { blocks: "decoded" }, ...options }: LoweringOptions = {},
): OnnxModel {
  checkOrder(graph);
  const fusesCaches = options.fusesCaches !== false && operators.has("GroupQueryAttention");
  const context = new LoweringContext(operators, fusesCaches, products, options.scalesIntegers === true);
  const boundParameters = new Set([...graph.parameters.keys()].filter((name) => place(name) === "bound"));
  const writes = new Map<string, { kind: "state" | "parameter"; when: "inPlace" | "atEnd" }>();
  const results: [name: string, value: Value][] = [...graph.outputs].map((
    [name, value],
  ) => [`output:${name}`, assignedValue(value)]);
  const inPlace = assignedInPlace(graph);
  const writers = graph.nodes.filter(({ operator }) => operator.writesState);
  const overwritten = new Set(writers.map(({ inputs }) => inputs[0]));
  for (const node of writers) {
    const [value] = node.outputs;
    if (overwritten.has(value)) continue;
    const leaf = writtenLeaf(node);
    const { name } = leaf.attributes as NamedLeaf;
    const when = inPlace.has(node.inputs[1]) ? "inPlace" : node.operator.writesState!;
    writes.set(name, { kind: leaf.operator.name as "state" | "parameter", when });
    results.unshift([`next:${name}`, assignedValue(value)]);
  }
  // A value that is no node's result, or has two names, is copied to its name.
  const copied = results.filter(([name, value]) => isLeaf(value.node.operator) || !context.reserveName(value, name));
  lowerNodes(context, graph, place);
  for (const [name, value] of copied) context.model.node("Identity", [context.name(value)], {}, { outputs: [name] });
  for (const [name, { dataType, shape }] of results) context.model.output(name, dataType, shape);
  const sizes = [...context.sizes.values()];
  for (const { name, dataType } of sizes) context.model.input(name, dataType, [1]);
  const fusedCaches = fusesCaches ? graph.nodes.filter(isCached).map(lengthsOf) : [];
  const bytes = context.model.finish(graph.name);
  const { blockInitializers, model: { folded } } = context;
  const foldedParameters = new Set([
    ...[...graph.parameters.keys()].filter((name) => folded.has(`parameter:${name}`)),
    ...blockInitializers.filter(({ name }) => folded.has(name)).map(({ parameter }) => parameter),
  ]);
  return {
    bytes,
    sizes,
    boundParameters,
    blockInitializers,
    foldedParameters,
    writes,
    fusesCaches,
    fusedCaches,
  };
}

function isCached(node: Node): boolean {
  return node.operator.name === "attention" && readsItsCache(node);
}

function lengthsOf(node: Node): FusedCache {
  const [rows, , T] = node.inputs[0].shape;
  return { rows, T, length: usedLength(node) };
}

function lowerNodes(context: LoweringContext, graph: Graph, place: (name: string) => ParameterLocation): void {
  // The cacheAppends that GroupQueryAttention performs itself.
  const fused = new Set<Node>();
  for (const node of graph.nodes) {
    if (!context.fusesCaches || !isCached(node)) continue;
    for (const value of node.inputs.slice(1, 3)) fused.add(value.node);
  }
  const lowerings = { ...primitiveLowerings, ...compositeLowerings } as unknown as Record<string, Lowering<object>>;
  for (const node of graph.nodes) {
    if (fused.has(node)) continue;
    if (isLeaf(node.operator)) {
      context.set(node.outputs[0], lowerLeaf(context, node, place));
      continue;
    }
    const whole = alreadyJoinedHeads(context, node);
    const names = whole === undefined ? lowerings[node.operator.name](context, node) : [whole];
    node.outputs.forEach((value, i) => context.set(value, names[i]));
  }
}

/** The attention result before it was split into heads, where a node only joins them: reshape(transpose(attention)). */
function alreadyJoinedHeads(context: LoweringContext, node: Node): string | undefined {
  if (node.operator.name !== "reshape" || node.outputs[0].rank !== 3) return undefined;
  const moved = node.inputs[0].node;
  if (moved.operator.name !== "transpose") return undefined;
  const { permutation } = moved.attributes as { permutation: readonly number[] };
  const [source] = moved.inputs;
  const whole = context.joinedHeads.get(source);
  if (whole === undefined || permutation.join() !== "0,2,1,3") return undefined;
  const [rows, heads, T, width] = source.shape;
  const shape = [rows, T, (heads as number) * (width as number)];
  if (shape.join() !== node.outputs[0].shape.join()) return undefined;
  return context.write(node, "Identity", [whole])[0];
}
