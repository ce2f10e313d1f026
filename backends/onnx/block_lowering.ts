// Parameters in blocks of 8 or 4 bits, in ONNX Runtime's operators. A product of few rows reads each weight once, so it is
// bound by bytes: MatMulNBits multiplies the codes with inputs rounded to 8 bits. A product of many rows is bound by
// arithmetic: on processors without products of 8-bit integers it is faster in float32, of weights decoded in each run. A
// table of words is read a row at a time, and only what is read is decoded.
import type { Graph, Node, Value } from "../../src/graph/mod.ts";
import type { AttributesOf } from "../../src/operators/mod.ts";
import { type BlockEncoding, blockShapes, middleOf } from "../../src/weights/mod.ts";
import type { BlockInitializer, BlockParameter } from "./block_parameter.ts";
import type { LoweringContext } from "./lowering_context.ts";
import { microsoftDomain, onnxTypes } from "./model_builder.ts";

/** Whether everything that reads a parameter can read it in blocks. */
export function readsBlocks(graph: Graph, name: string, { bits, axis }: BlockEncoding): boolean {
  const value = graph.parameters.get(name)!;
  return [...graph.outputs.values()].every((output) => output !== value) && graph.nodes.every((node) => {
    if (!node.inputs.includes(value)) return true;
    if (node.inputs.filter((input) => input === value).length > 1) return false;
    if (node.operator.name === "gather") {
      return node.inputs[0] === value && bits === 8 && axis === 1 &&
        (node.attributes as AttributesOf<"gather">).axis === 0;
    }
    const { weightLayout = "out_in" } = node.attributes as AttributesOf<"linear">;
    return node.operator.name === "linear" && node.inputs[1] === value && axis === (weightLayout === "out_in" ? 1 : 0);
  });
}

/** The initializer of a part of a parameter in blocks, written once for each form. */
function part(
  context: LoweringContext,
  parameter: BlockParameter,
  { part, dataType, shape }: Pick<BlockInitializer, "part" | "dataType" | "shape">,
): string {
  const name = `${part}${shape.length}:${parameter.name}`;
  if (context.blockInitializers.some((known) => known.name === name)) return name;
  context.blockInitializers.push({ name, parameter: parameter.name, part, dataType, shape });
  return context.model.initializer(name, dataType, shape, parameter[part]);
}

/** Write x · weight + bias, with the weight in blocks. @returns The name of the result, [..., N]. */
export function blockProduct(context: LoweringContext, node: Node, parameter: BlockParameter): string {
  const { encoding: { bits, block } } = parameter;
  const { rows: N, columns: K, codes, stored, scales } = blockShapes(parameter.shape, parameter.encoding);
  const [x, , bias] = node.inputs;
  const scale = part(context, parameter, { part: "scales", dataType: "float32", shape: scales });
  if (bits === 4 || context.int8Products) {
    const code = part(context, parameter, { part: "codes", dataType: "uint8", shape: stored });
    const attributes = { K, N, bits, block_size: block, accuracy_level: context.int8Products ? 4 : 1 };
    const y = context.model.node("MatMulNBits", [context.name(x), code, scale], attributes, {
      domain: microsoftDomain,
    });
    return bias ? context.model.node("Add", [y, context.name(bias)]) : y;
  }
  const code = part(context, parameter, { part: "codes", dataType: "uint8", shape: codes });
  const middles = context.bytes(scales, middleOf({ bits }));
  // It is decoded in each run: ONNX Runtime does not fold it while it compiles, which would take float32's memory.
  const weight = context.model.node("DequantizeLinear", [code, scale, middles], { axis: 1, block_size: block }, {
    folds: false,
  });
  const y = context.model.node("FusedMatMul", [context.name(x), weight], { transB: 1 }, { domain: microsoftDomain });
  return bias ? context.model.node("Add", [y, context.name(bias)]) : y;
}

/** Write the rows of a table in blocks of 8 bits. */
export function blockGather(context: LoweringContext, node: Node, parameter: BlockParameter): string[] {
  const { model } = context;
  const { encoding } = parameter;
  const { codes, scales } = blockShapes(parameter.shape, encoding);
  const [, indices]: readonly Value[] = node.inputs;
  const rows = (name: string) => model.node("Gather", [name, context.name(indices)], { axis: 0 });
  const code = rows(part(context, parameter, { part: "codes", dataType: "uint8", shape: codes }));
  const scale = rows(part(context, parameter, { part: "scales", dataType: "float32", shape: scales }));
  const numbers = model.node("Cast", [code], { to: onnxTypes.float32 });
  const centred = model.node("Sub", [numbers, context.scalar(middleOf(encoding))]);
  // [..., blocks, block]: every axis of the indices is kept.
  const kept = indices.shape.map(() => 0);
  const cut = model.node("Reshape", [centred, context.integers([...kept, scales[1], encoding.block])]);
  const factors = model.node("Unsqueeze", [scale, context.integers([indices.rank + 1])]);
  const decoded = model.node("Mul", [cut, factors]);
  return context.write(node, "Reshape", [decoded, context.integers([...kept, codes[1]])]);
}
