// The ONNX operators of every primitive.
import { addDimensions, type Dimension, type Node, type Shape, type Value } from "../../src/graph/mod.ts";
import { type AttributesOf, normalizeAxis, type PrimitiveName } from "../../src/operators/mod.ts";
import { blockGather } from "./block_lowering.ts";
import type { Lowering, LoweringContext } from "./lowering_context.ts";
import { learningDomain, onnxTypes } from "./model_builder.ts";
import { bernoulliLowering } from "./random_lowering.ts";

/** A primitive that is an ONNX operator of the same operands. */
function same(type: string): Lowering<object> {
  return (context, node) => context.write(node, type, node.inputs.map((value) => context.name(value)));
}

/** A reduction: ONNX takes the axes as an operand. */
function reduction(type: string): Lowering<AttributesOf<"reduceSum">> {
  return (context, node) => {
    const { axes, keepDimensions } = node.attributes;
    const [x] = node.inputs;
    const positive = axes.map((axis) => normalizeAxis(axis, x.rank));
    const inputs = [context.name(x), context.integers(positive)];
    return context.write(node, type, inputs, { keepdims: keepDimensions ? 1 : 0 });
  };
}

/** The ends of a slice: a named start and a named size make a named end. */
function ends(starts: Shape, sizes: Shape): Dimension[] {
  return starts.map((start, i) =>
    typeof start === "number" && typeof sizes[i] === "number" ? start + sizes[i] : `${start}+${sizes[i]}`
  );
}

/** Indices of entries, for ScatterND. */
function entries(context: LoweringContext, indices: Value): string {
  return context.model.node("Unsqueeze", [context.int64(indices), context.integers([indices.rank])]);
}

/** A size as a scalar, for Range. */
function scalarSize(context: LoweringContext, length: Dimension): string {
  return context.model.node("Squeeze", [context.size(length), context.integers([0])]);
}

const cacheAppendLowering: Lowering<AttributesOf<"cacheAppend">> = (context, node) => {
  const [state, x, own] = node.inputs;
  const { at = 0 } = node.attributes;
  const axis = normalizeAxis(node.attributes.axis, state.rank);
  if (context.operators.has("TensorScatter")) {
    const position = own ? context.int64(own) : context.model.node("Expand", [
      context.size(at),
      context.shape([state.shape[0]]),
    ]);
    return context.write(node, "TensorScatter", [context.name(state), context.name(x), position], { axis });
  }
  if (own) return appendWithoutScatter(context, node, axis);
  // The parts are copied before the whole is written, so that the whole may be where the state is.
  const part = (from: Dimension, to: Dimension) =>
    context.model.node("Slice", [context.name(state), context.size(from), context.size(to), context.integers([axis])]);
  const end = addDimensions(at, x.shape[axis]);
  return context.write(node, "Concat", [part(0, at), context.name(x), part(end, state.shape[axis])], { axis });
};

/** Append to rows at positions of their own: each place of the cache takes what is new there, or stays. */
function appendWithoutScatter(context: LoweringContext, node: Node, axis: number): string[] {
  const { model } = context;
  const [state, x, own] = node.inputs;
  const [zero, one] = [0, 1].map((value) => model.node("Squeeze", [context.integers([value]), context.integers([0])]));
  const places = model.node("Range", [zero, scalarSize(context, state.shape[axis]), one]);
  const positions = model.node("Unsqueeze", [context.int64(own), context.integers([1])]);
  const relative = model.node("Sub", [places, positions]);
  const isNew = model.node("And", [
    model.node("GreaterOrEqual", [relative, zero]),
    model.node("Less", [relative, scalarSize(context, x.shape[axis])]),
  ]);
  const others = context.integers(state.shape.map((_, i) => i).filter((i) => i !== 0 && i !== axis));
  const last = model.node("Sub", [scalarSize(context, x.shape[axis]), one]);
  const nearest = model.node("Unsqueeze", [
    model.node("Min", [model.node("Max", [relative, zero]), last]),
    others,
  ]);
  const shape = state.shape.map((size, i) => i === 0 || i === axis ? size : x.shape[i]);
  const indices = model.node("Expand", [nearest, context.shape(shape)]);
  const fresh = model.node("GatherElements", [context.name(x), indices], { axis });
  return context.write(node, "Where", [model.node("Unsqueeze", [isNew, others]), fresh, context.name(state)]);
}

/** The lowering of every primitive. */
export const primitiveLowerings = {
  add: same("Add"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: same("Div"),
  equal: same("Equal"),
  greaterOrEqual: same("GreaterOrEqual"),
  sqrt: same("Sqrt"),
  exp: same("Exp"),
  log: same("Log"),
  tanh: same("Tanh"),
  erf: same("Erf"),
  sigmoid: same("Sigmoid"),
  relu: same("Relu"),
  neg: same("Neg"),
  abs: same("Abs"),
  matmul: same("MatMul"),
  pow: (context, node) =>
    context.write(node, "Pow", [context.name(node.inputs[0]), context.scalar(node.attributes.exponent)]),
  where: (context, node) => {
    const [condition, a, b] = node.inputs.map((value) => context.name(value));
    const isBool = node.inputs[0].dataType === "bool";
    const test = isBool ? condition : context.model.node("Cast", [condition], { to: onnxTypes.bool });
    return context.write(node, "Where", [test, a, b]);
  },
  cast: (context, node) => {
    const [from, to] = [node.inputs[0].dataType, node.attributes.dataType];
    const inputs = [context.name(node.inputs[0])];
    // Scaler refuses a value without axes.
    const isScaled = to === "float32" && (from === "int64" || from === "int32") && node.outputs[0].rank > 0;
    if (context.scalesIntegers && isScaled) {
      return context.write(node, "Scaler", inputs, { offset: { floats: [0] }, scale: { floats: [1] } }, learningDomain);
    }
    return context.write(node, "Cast", inputs, { to: onnxTypes[to] });
  },
  reshape: (context, node) => {
    const [x] = node.inputs;
    const { shape } = node.outputs[0];
    const inputs = [context.name(x), context.reshapeOperand(x.shape, shape)];
    return context.write(node, "Reshape", inputs, { allowzero: shape.includes(0) ? 1 : 0 });
  },
  transpose: (context, node) =>
    context.write(node, "Transpose", [context.name(node.inputs[0])], { perm: node.attributes.permutation }),
  expand: (context, node) =>
    context.write(node, "Expand", [context.name(node.inputs[0]), context.shape(node.attributes.shape)]),
  concat: (context, node) =>
    context.write(node, "Concat", node.inputs.map((value) => context.name(value)), { axis: node.attributes.axis }),
  slice: (context, node) => {
    const { starts, sizes } = node.attributes;
    const [x] = node.inputs;
    // Axes that are taken whole are left out.
    const axes = starts.flatMap((start, i) => start === 0 && sizes[i] === x.shape[i] ? [] : [i]);
    if (axes.length === 0) return context.write(node, "Identity", [context.name(x)]);
    const pick = (values: Shape) => context.shape(axes.map((axis) => values[axis]));
    const inputs = [context.name(x), pick(starts), pick(ends(starts, sizes)), context.integers(axes)];
    return context.write(node, "Slice", inputs);
  },
  pad: (context, node) => {
    const { beginning, ending, value = 0 } = node.attributes;
    const [x] = node.inputs;
    const fill = context.model.node("Cast", [context.scalar(value)], { to: onnxTypes[x.dataType] });
    return context.write(node, "Pad", [context.name(x), context.shape([...beginning, ...ending]), fill]);
  },
  reduceSum: reduction("ReduceSum"),
  reduceMax: reduction("ReduceMax"),
  cumulativeSum: (context, node) => {
    const { axis, reversed } = node.attributes;
    const inputs = [context.name(node.inputs[0]), context.integers([normalizeAxis(axis, node.inputs[0].rank)])];
    return context.write(node, "CumSum", inputs, { reverse: reversed ? 1 : 0 });
  },
  argMax: (context, node) => {
    const { axis, keepDimensions } = node.attributes;
    return context.write(node, "ArgMax", [context.name(node.inputs[0])], { axis, keepdims: keepDimensions ? 1 : 0 });
  },
  topK: (context, node) => {
    const { k, axis } = node.attributes;
    return context.write(node, "TopK", [context.name(node.inputs[0]), context.integers([k])], { axis });
  },
  range: (context, node) => {
    const { size, start = 0, dataType = "int64" } = node.attributes;
    const [end] = ends([start], [size]);
    const one = context.model.node("Squeeze", [context.integers([1]), context.integers([0])]);
    const numbers = [scalarSize(context, start), scalarSize(context, end), one];
    if (dataType === "int64") return context.write(node, "Range", numbers);
    return context.write(node, "Cast", [context.model.node("Range", numbers)], { to: onnxTypes[dataType] });
  },
  gather: (context, node) => {
    const blocks = context.blocks.get(node.inputs[0]);
    if (blocks) return blockGather(context, node, blocks);
    return context.write(node, "Gather", node.inputs.map((value) => context.name(value)), {
      axis: node.attributes.axis,
    });
  },
  scatterAdd: (context, node) => {
    const [indices, updates] = node.inputs;
    const zeros = context.model.node("Expand", [context.scalar(0), context.shape(node.outputs[0].shape)]);
    const inputs = [zeros, entries(context, indices), context.name(updates)];
    return context.write(node, "ScatterND", inputs, { reduction: "add" });
  },
  scatter: (context, node) => {
    const [x, indices, updates] = node.inputs;
    return context.write(node, "ScatterND", [context.name(x), entries(context, indices), context.name(updates)]);
  },
  cacheAppend: cacheAppendLowering,
  bernoulli: bernoulliLowering,
  assign: (context, node) => [context.name(node.inputs[1])],
} satisfies { [K in PrimitiveName]: Lowering<AttributesOf<K>> };
