// Attention in ONNX Runtime's fused operators: MultiHeadAttention where all keys are used, GroupQueryAttention over a
// cache that it appends to in place. Attention that fits neither has been decomposed before.
import { addDimensions, type Dimension, dimension, type Node, type Value } from "../../src/graph/mod.ts";
import {
  areLengthsAfter,
  type AttentionAttributes,
  attentionOperands,
  type AttributesOf,
  lowestScore,
} from "../../src/operators/mod.ts";
import type { Lowering, LoweringContext } from "./lowering_context.ts";
import { microsoftDomain, onnxTypes } from "./model_builder.ts";

const headsFirst = [0, 2, 1, 3].join();

/** Where a value was appended to a cache: the axis, and from which position on, of all rows or of each. */
function appendedAt({ node }: Value): { axis: number; at: Dimension | Value } | undefined {
  if (node.operator.name !== "cacheAppend") return undefined;
  const { axis, at = 0 } = node.attributes as AttributesOf<"cacheAppend">;
  return { axis, at: node.inputs[2] ?? at };
}

/** Whether an attention reads exactly what it just appended to its caches: GroupQueryAttention's case. */
export function readsItsCache(node: Node): boolean {
  const { query, key, value, mask, lengths } = attentionOperands(node.inputs);
  const { causal } = node.attributes as AttentionAttributes;
  const [keys, values] = [appendedAt(key), appendedAt(value)];
  if (!keys || !values || mask || !causal) return false;
  const T = query.shape[2];
  const width = query.shape[3] as number;
  const endsThere = typeof keys.at === "object"
    ? lengths !== undefined && areLengthsAfter(lengths, keys.at, T)
    : lengths === undefined && dimension(usedLength(node)) === addDimensions(keys.at, T);
  return keys.axis === 2 && values.axis === 2 && keys.at === values.at && endsThere &&
    query.shape[0] === key.shape[0] && key.shape[3] === value.shape[3] && width % 8 === 0;
}

/** How many keys an attention uses at most. */
export function usedLength({ inputs: [, key], attributes }: Node): Dimension {
  return (attributes as AttentionAttributes).length ?? key.shape[2];
}

/** Whether all keys are used by all queries: MultiHeadAttention's case; beams that share keys are more queries. */
export function usesAllKeys(node: Node): boolean {
  const { key, value, mask, lengths } = attentionOperands(node.inputs);
  const { causal, length } = node.attributes as AttentionAttributes;
  return !mask && !lengths && !causal && length === undefined && key.shape[3] === value.shape[3];
}

/** The value [rows, T, H · D] that a value [rows, H, T, D] was before it was split into heads; undefined where it was not. */
function beforeSplit({ shape: [rows, heads, T, width], node: { operator, attributes, inputs } }: Value) {
  if (operator.name !== "transpose") return undefined;
  if ((attributes as AttributesOf<"transpose">).permutation.join() !== headsFirst) return undefined;
  const [cut] = inputs;
  const whole = cut.node.operator.name === "reshape" ? cut.node.inputs[0] : undefined;
  const hidden = (heads as number) * (width as number);
  const fits = whole?.rank === 3 && whole.shape[0] === rows && whole.shape[1] === T && whole.shape[2] === hidden;
  return fits ? whole : undefined;
}

/** The name of a value [rows, H, T, D] as [rows, T, H · D]. */
function joinHeads(context: LoweringContext, value: Value): string {
  const [rows, heads, T, width] = value.shape;
  const whole = beforeSplit(value);
  if (whole) return context.name(whole);
  const moved = context.model.node("Transpose", [context.name(value)], { perm: [0, 2, 1, 3] });
  return context.reshape(moved, [rows, T, heads, width], [rows, T, (heads as number) * (width as number)]);
}

/** Split a result [rows, T, H · D] into heads; the joined result is remembered too, for the node that joins them. */
function splitHeads(context: LoweringContext, node: Node, whole: string): string[] {
  const [output] = node.outputs;
  const [rows, heads, T, width] = output.shape;
  context.joinedHeads.set(output, whole);
  const parts = context.reshape(whole, [rows, T, (heads as number) * (width as number)], [rows, T, heads, width]);
  return context.write(node, "Transpose", [parts], { perm: [0, 2, 1, 3] });
}

function groupQueryAttention(context: LoweringContext, node: Node, scale: number): string[] {
  const { query, key, value, lengths } = attentionOperands(node.inputs);
  const [rows, heads] = query.shape;
  const length = usedLength(node);
  const [keyCache, keyNew] = key.node.inputs;
  const [valueCache, valueNew] = value.node.inputs;
  const last = lengths
    ? context.model.node("Cast", [context.model.node("Sub", [context.int64(lengths), context.integers([1])])], {
      to: onnxTypes.int32,
    })
    : context.model.node("Expand", [context.length(addDimensions(length, -1)), context.shape([rows])]);
  const inputs = [
    joinHeads(context, query),
    joinHeads(context, keyNew),
    joinHeads(context, valueNew),
    context.name(keyCache),
    context.name(valueCache),
    last,
    context.length(length),
  ];
  const [keysName] = context.outputs(key.node);
  const [valuesName] = context.outputs(value.node);
  const whole = context.model.fresh();
  const attributes = { num_heads: heads as number, kv_num_heads: heads as number, scale: { float: scale } };
  const outputs = [whole, keysName, valuesName];
  context.model.node("GroupQueryAttention", inputs, attributes, { outputs, domain: microsoftDomain, name: node.label });
  context.set(key, keysName);
  context.set(value, valuesName);
  return splitHeads(context, node, whole);
}

/** Attention over a cache to which other nodes append, in ONNX's own operators: slower, but for any batch and length. */
function plainCachedAttention(context: LoweringContext, node: Node, scale: number): string[] {
  const { model } = context;
  const { query, key, value, lengths } = attentionOperands(node.inputs);
  const length = usedLength(node);
  const T = query.shape[2];
  const scalar = (size: Dimension) => model.node("Squeeze", [context.size(size), context.integers([0])]);
  const used = (cache: Value) =>
    model.node("Slice", [context.name(cache), context.integers([0]), context.size(length), context.integers([2])]);
  const one = model.node("Squeeze", [context.integers([1]), context.integers([0])]);
  const unsqueeze = (name: string, ...axes: number[]) => model.node("Unsqueeze", [name, context.integers(axes)]);
  // Of each query, the last key that it sees: [T, 1], or [rows, 1, T, 1].
  const last = lengths
    ? model.node("Add", [
      unsqueeze(context.int64(lengths), 1, 2, 3),
      unsqueeze(model.node("Range", [scalar(addDimensions(0, T, -1)), scalar(0), one]), 1),
    ])
    : unsqueeze(model.node("Range", [scalar(addDimensions(length, T, -1)), scalar(length), one]), 1);
  const visible = model.node("GreaterOrEqual", [last, model.node("Range", [scalar(0), scalar(length), one])]);
  const products = model.node("MatMul", [
    context.name(query),
    model.node("Transpose", [used(key)], { perm: [0, 1, 3, 2] }),
  ]);
  const scores = model.node("Where", [
    visible,
    model.node("Mul", [products, context.scalar(scale)]),
    context.scalar(lowestScore),
  ]);
  return context.write(node, "MatMul", [model.node("Softmax", [scores], { axis: -1 }), used(value)]);
}

function multiHeadAttention(context: LoweringContext, node: Node, scale: number): string[] {
  const [query, key, value] = node.inputs;
  const [rows, heads, T, width] = query.shape;
  const hidden = (heads as number) * (width as number);
  const batch = key.shape[0];
  const shared = rows !== batch;
  let queries = joinHeads(context, query);
  // ONNX Runtime's kernel for one query reads the keys as they lie, but cannot scale; where it must scale, another kernel copies
  // all keys transposed in each run. Of keys and values [rows, T, H · D] a third computes tiles: for many queries a tenth faster,
  // and without memory for all scores.
  const scalesQuery = typeof T === "string" || T === 1;
  if (scalesQuery) queries = context.model.node("Mul", [queries, context.scalar(scale)]);
  if (shared) queries = context.model.node("Reshape", [queries, context.shape([batch, -1, hidden])]);
  const isWhole = !scalesQuery && !shared && beforeSplit(key) && beforeSplit(value);
  const inputs = [queries, ...[key, value].map((each) => isWhole ? joinHeads(context, each) : context.name(each))];
  const attributes = { num_heads: heads as number, scale: { float: scalesQuery ? 1 : scale } };
  const whole = context.model.node("MultiHeadAttention", inputs, attributes, {
    domain: microsoftDomain,
    name: node.label,
  });
  if (!shared) return splitHeads(context, node, whole);
  const back = context.model.node("Reshape", [whole, context.shape([-1, T, hidden])]);
  return splitHeads(context, node, back);
}

/** The lowering of attention. */
export const attentionLowering: Lowering<AttentionAttributes> = (context, node) => {
  const { scale = 1 / Math.sqrt(node.inputs[0].shape[3] as number) } = node.attributes;
  if (!readsItsCache(node)) return multiHeadAttention(context, node, scale);
  return (context.fusesCaches ? groupQueryAttention : plainCachedAttention)(context, node, scale);
};
