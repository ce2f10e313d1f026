// Which values of a program are rounded to float16 where its weights are: think of what kernels leave in memory for each other.
// A value is rounded where all that reads it computes sums of many terms of it in float32 (products, attention, normalisation), or
// passes it on to such. What is summed up over layers stays float32, and so do scores, masks, and what leaves the program.
import type { Graph, Node, Value } from "../../../src/graph/mod.ts";
import { depthStep } from "../kernels/matmul.ts";
import type { ValueUses } from "./value_uses.ts";

/** Operators that read any value of theirs in float16: which operands. */
const readers: Readonly<Record<string, readonly number[]>> = {
  linear: [0],
  attention: [0, 1, 2],
  layerNormalization: [0],
  cacheAppend: [1],
};

/** Operators whose operands are rounded where their result is: movements, which may be views of the operand, and activations. */
const passing = new Set([
  ...["reshape", "transpose", "slice", "expand", "concat", "pad"],
  ...["relu", "gelu", "silu", "tanh", "sigmoid", "mul"],
]);

/** Operators whose results are not rounded whatever reads them. */
const sums = new Set(["add", "sub"]);

/** The float32 values of a graph that are rounded to float16. */
export function roundedValues(graph: Graph, uses: ValueUses): ReadonlySet<Value> {
  const rounded = new Set<Value>();
  const reads = (node: Node, value: Value): boolean => {
    const { operator: { name }, inputs, outputs } = node;
    if (name === "cast") return outputs[0].dataType === "float16";
    if (passing.has(name)) return rounded.has(outputs[0]);
    const operands = readers[name] ?? [];
    return inputs.every((input, i) => input !== value || operands.includes(i));
  };
  const isRounded = (value: Value): boolean => {
    const { dataType, node } = value;
    const users = uses.of(value);
    return dataType === "float32" && users.length > 0 && !uses.outputs.has(value) && !uses.inPlace.has(value) &&
      !node.operator.writesState && !sums.has(node.operator.name) && !addsUpInPlace(node) &&
      users.every((user) => reads(user, value));
  };
  // Users come after what they use.
  for (const node of [...graph.nodes].reverse()) {
    for (const value of node.outputs) if (isRounded(value)) rounded.add(value);
  }
  return rounded;
}

/** Whether a product adds up parts of its inputs where its result lies. */
function addsUpInPlace({ operator: { name }, inputs: [x] }: Node): boolean {
  const length = x?.shape.at(-1);
  return name === "linear" && !(typeof length === "number" && length <= depthStep);
}
