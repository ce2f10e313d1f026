// The composites for which ONNX or ONNX Runtime has a better operator than their decomposition.
import type { Node } from "../../src/graph/mod.ts";
import { type AttributesOf, type CompositeName, normalizeAxis } from "../../src/operators/mod.ts";
import { attentionLowering, readsItsCache, usesAllKeys } from "./attention_lowering.ts";
import { blockProduct } from "./block_lowering.ts";
import type { Lowering, LoweringContext } from "./lowering_context.ts";
import { microsoftDomain } from "./model_builder.ts";
import type { OperatorSupport } from "./operator_support.ts";

type Native = "linear" | "layerNormalization" | "softmax" | "logSoftmax" | "gelu" | "reduceMean" | "attention";

/** The activations that ONNX has. */
const activations: Readonly<Record<string, (context: LoweringContext, node: Node, x: string) => string[]>> = {
  relu: (context, node, x) => context.write(node, "Relu", [x]),
  tanh: (context, node, x) => context.write(node, "Tanh", [x]),
  sigmoid: (context, node, x) => context.write(node, "Sigmoid", [x]),
  gelu: (context, node, x) => context.write(node, "Gelu", [x]),
  geluTanh: (context, node, x) => context.write(node, "Gelu", [x], { approximate: "tanh" }),
};

/** The lowerings of the composites that have an ONNX operator. */
export const compositeLowerings: { [K in Native]: Lowering<AttributesOf<K>> } = {
  linear: (context, node) => {
    const { weightLayout = "out_in", activation } = node.attributes;
    const [x, weight, bias] = node.inputs;
    const blocks = context.blocks.get(weight);
    if (blocks) {
      const y = blockProduct(context, node, blocks);
      return activation ? activations[activation](context, node, y) : context.give(node, y);
    }
    const operands = [context.name(x), context.name(weight)];
    const fuses = weightLayout === "out_in" && context.operators.has("FusedMatMul");
    if (weightLayout === "out_in" && !fuses) {
      operands[1] = context.model.node("Transpose", [operands[1]], { perm: [1, 0] });
    }
    // The weight is read as it is stored: with one row this is as fast as any other layout, and nothing is copied.
    const [type, attributes, domain] = fuses
      ? ["FusedMatMul", { transB: 1 }, microsoftDomain] as const
      : ["MatMul", {}, undefined] as const;
    if (!bias && !activation) return context.write(node, type, operands, attributes, domain);
    let y = context.model.node(type, operands, attributes, { domain });
    if (!activation) return context.write(node, "Add", [y, context.name(bias)]);
    if (bias) y = context.model.node("Add", [y, context.name(bias)]);
    return activations[activation](context, node, y);
  },
  layerNormalization: (context, node) => {
    const { axes = [-1], epsilon = 1e-5 } = node.attributes;
    const inputs = node.inputs.map((value) => context.name(value));
    return context.write(node, "LayerNormalization", inputs, { axis: -axes.length, epsilon: { float: epsilon } });
  },
  softmax: (context, node) =>
    context.write(node, "Softmax", [context.name(node.inputs[0])], { axis: node.attributes.axis }),
  logSoftmax: (context, node) =>
    context.write(node, "LogSoftmax", [context.name(node.inputs[0])], { axis: node.attributes.axis }),
  gelu: (context, node) => {
    const { approximation = "none" } = node.attributes;
    return context.write(node, "Gelu", [context.name(node.inputs[0])], { approximate: approximation });
  },
  reduceMean: (context, node) => {
    const { axes, keepDimensions } = node.attributes;
    const [x] = node.inputs;
    const positive = axes.map((axis) => normalizeAxis(axis, x.rank));
    const inputs = [context.name(x), context.integers(positive)];
    return context.write(node, "ReduceMean", inputs, { keepdims: keepDimensions ? 1 : 0 });
  },
  attention: attentionLowering,
};

const conditions: { [K in Native]: (node: Node, operators: OperatorSupport) => boolean } = {
  linear: (node) => {
    const { activation } = node.attributes as AttributesOf<"linear">;
    return activation === undefined || Object.hasOwn(activations, activation);
  },
  // ONNX Runtime computes the variance of a single number with rounding that epsilon then magnifies.
  layerNormalization: (node) => node.inputs[1].shape.some((width) => width !== 1),
  softmax: () => true,
  logSoftmax: () => true,
  gelu: (node) => (node.attributes as AttributesOf<"gelu">).approximation !== "quick",
  reduceMean: () => true,
  attention: (node, operators) => readsItsCache(node) || (usesAllKeys(node) && operators.has("MultiHeadAttention")),
};

/** Whether a composite is lowered as it is, without being decomposed, for a runtime with these operators. */
export function isNative(node: Node, operators: OperatorSupport): boolean {
  const name = node.operator.name as CompositeName;
  return Object.hasOwn(conditions, name) && conditions[name as Native](node, operators);
}
