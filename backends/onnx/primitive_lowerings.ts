// The ONNX operators of every primitive.
import type { Dimension, Shape, Value } from "../../src/graph/mod.ts";
import { type AttributesOf, normalizeAxis, type PrimitiveName } from "../../src/operators/mod.ts";
import type { Lowering, LoweringContext } from "./lowering_context.ts";
import { onnxTypes } from "./model_builder.ts";
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
  const places = context.model.node("Unsqueeze", [context.name(indices), context.integers([indices.rank])]);
  return indices.dataType === "int64" ? places : context.model.node("Cast", [places], { to: onnxTypes.int64 });
}

/** A size as a scalar, for Range. */
function scalarSize(context: LoweringContext, length: Dimension): string {
  return context.model.node("Squeeze", [context.size(length), context.integers([0])]);
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
  cast: (context, node) =>
    context.write(node, "Cast", [context.name(node.inputs[0])], { to: onnxTypes[node.attributes.dataType] }),
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
  gather: (context, node) =>
    context.write(node, "Gather", node.inputs.map((value) => context.name(value)), { axis: node.attributes.axis }),
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
  cacheAppend: (context, node) => {
    const [state, x, own] = node.inputs;
    const { axis, at = 0 } = node.attributes;
    const position = own
      ? context.model.node("Cast", [context.name(own)], { to: onnxTypes.int64 })
      : context.model.node("Expand", [context.size(at), context.shape([state.shape[0]])]);
    const inputs = [context.name(state), context.name(x), position];
    return context.write(node, "TensorScatter", inputs, { axis: normalizeAxis(axis, state.rank) });
  },
  bernoulli: bernoulliLowering,
  assign: (context, node) => [context.name(node.inputs[1])],
} satisfies { [K in PrimitiveName]: Lowering<AttributesOf<K>> };
