// Random decisions in ONNX: src/operators/random.ts says how. The words are uint32, which no value of a graph is, so they
// are between nodes that are written here. The words of lines are drawn for a column, those of places for a row, and only the
// last mixing is done for each element; what several draws share is written once, since ONNX Runtime merges equal nodes.
import { type Dimension, multiplyDimensions } from "../../src/graph/mod.ts";
import { type AttributesOf, leastTrue, mixFactors } from "../../src/operators/mod.ts";
import type { Lowering, LoweringContext } from "./lowering_context.ts";

/** ONNX's number of uint32. */
const uint32 = 12;

function constant(context: LoweringContext, word: number): string {
  return context.model.node("Cast", [context.integers([word])], { to: uint32 });
}

/** The numbers from 0 on, `size` of them, as words. */
function count(context: LoweringContext, size: Dimension): string {
  const scalar = (length: Dimension) => context.model.node("Squeeze", [context.size(length), context.integers([0])]);
  return context.model.node("Cast", [context.model.node("Range", [scalar(0), scalar(size), scalar(1)])], {
    to: uint32,
  });
}

/** word ^ (word >> bits). */
function foldDown(context: LoweringContext, word: string, bits: number): string {
  const high = context.model.node("BitShift", [word, constant(context, bits)], { direction: "RIGHT" });
  return context.model.node("BitwiseXor", [word, high]);
}

function scaled(context: LoweringContext, word: string, factor: number): string {
  return context.model.node("Mul", [word, constant(context, factor)]);
}

function mix(context: LoweringContext, word: string): string {
  const first = scaled(context, foldDown(context, word, 16), mixFactors[0]);
  return foldDown(context, scaled(context, foldDown(context, first, 15), mixFactors[1]), 16);
}

/** The lowering of `bernoulli`. */
export const bernoulliLowering: Lowering<AttributesOf<"bernoulli">> = (context, node) => {
  const { model } = context;
  const { probability, stream } = node.attributes;
  const { shape } = node.outputs[0];
  const length = shape.at(-1) ?? 1;
  const lines = multiplyDimensions(1, ...shape.slice(0, -1));
  const key = model.node("Cast", [context.name(node.inputs[0])], { to: uint32 });
  const keyOf = (part: number) => model.node("Gather", [key, context.integers([part])]);
  const add = (a: string, b: string) => model.node("Add", [a, b]);
  const shared = mix(context, add(count(context, lines), keyOf(0)));
  const own = mix(context, add(shared, constant(context, stream)));
  const places = mix(context, add(count(context, length), keyOf(1)));
  const crossed = model.node("BitwiseXor", [model.node("Unsqueeze", [own, context.integers([1])]), places]);
  const folded = foldDown(context, scaled(context, crossed, mixFactors[0]), 15);
  const least = constant(context, leastTrue(probability));
  const drawn = model.node("GreaterOrEqual", [scaled(context, folded, mixFactors[1]), least]);
  return context.write(node, "Reshape", [drawn, context.shape(shape)], { allowzero: shape.includes(0) ? 1 : 0 });
};
