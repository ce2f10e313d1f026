// Parameters in blocks of 8 or 4 bits, in ONNX Runtime's operators. A product of few rows reads each weight once, so it is
// bound by bytes: MatMulNBits multiplies packed codes with inputs rounded to 8 bits; where memory is short codes are read as they
// lie. A product of many rows is bound by arithmetic: of weights whose rows have one scale it is a product of whole numbers, of
// inputs rounded with one scale; of others it is faster in float32, with weights decoded in each run, on processors without
// instructions for 8-bit integers. A table of words is read a row at a time, and only what is read is decoded.
import { type Graph, type Node, resolveShape, type Sizes, type Value } from "../../src/graph/mod.ts";
import type { AttributesOf } from "../../src/operators/mod.ts";
import { sizeOf } from "../../src/tensor/mod.ts";
import { type BlockEncoding, blockShapes, middleOf } from "../../src/weights/mod.ts";
import type { BlockParameter } from "./block_parameter.ts";
import { initializerOf } from "./block_initializer.ts";
import type { LoweringContext } from "./lowering_context.ts";
import { microsoftDomain, onnxTypes } from "./model_builder.ts";
import { decodedProduct, fewRows, unpackedProduct } from "./unpacked_products.ts";

/** The nodes that read each parameter, by graph: a graph of a decoder has hundreds of both. */
const readers = new WeakMap<Graph, Map<Value, Node[]>>();

/** The nodes that read a parameter. */
function readersOf(graph: Graph, parameter: Value): readonly Node[] {
  let known = readers.get(graph);
  if (!known) {
    known = new Map([...graph.parameters.values()].map((value) => [value, []]));
    for (const node of graph.nodes) for (const input of new Set(node.inputs)) known.get(input)?.push(node);
    readers.set(graph, known);
  }
  return known.get(parameter)!;
}

/** Whether everything that reads a parameter can read it in blocks. */
export function readsBlocks(graph: Graph, name: string, { bits, axis }: BlockEncoding): boolean {
  const value = graph.parameters.get(name)!;
  return [...graph.outputs.values()].every((output) => output !== value) && readersOf(graph, value).every((node) => {
    if (node.inputs.filter((input) => input === value).length > 1) return false;
    if (node.operator.name === "gather") {
      return node.inputs[0] === value && bits === 8 && axis === 1 &&
        (node.attributes as AttributesOf<"gather">).axis === 0;
    }
    const { weightLayout = "out_in" } = node.attributes as AttributesOf<"linear">;
    return node.operator.name === "linear" && node.inputs[1] === value && axis === (weightLayout === "out_in" ? 1 : 0);
  });
}

/** Whether products alone read a parameter: a table's rows are decoded from unsigned codes. */
export function isOnlyMultiplied(graph: Graph, name: string): boolean {
  return readersOf(graph, graph.parameters.get(name)!).every(({ operator }) => operator.name === "linear");
}

/**
 * Whether products with codes as they lie are faster where they are made for many rows, by the sizes of a run.
 *
 * @param encodings Those of the parameters in blocks.
 */
export function hasManyRows(graph: Graph, encodings: ReadonlyMap<string, BlockEncoding>): (sizes: Sizes) => boolean {
  const few = Math.min(...[...encodings.values()].map(({ bits }) => fewRows[bits]));
  const nodes = [...encodings.keys()].flatMap((name) => readersOf(graph, graph.parameters.get(name)!));
  const products = nodes.filter(({ operator }) => operator.name === "linear");
  const shapes = new Map(products.map(({ inputs: [x] }) => x.shape.slice(0, -1)).map((shape) => [shape.join(), shape]));
  return (sizes) => shapes.values().some((shape) => sizeOf(resolveShape(shape, sizes)) > few);
}

/** Write x · weight + bias, with the weight in blocks. @returns The name of the result, [..., N]. */
export function blockProduct(context: LoweringContext, node: Node, parameter: BlockParameter): string {
  const [x, , bias] = node.inputs;
  if (parameter.form !== "rows") return wholeProduct(context, [x, bias], parameter);
  const y = rowsProduct(context, x, parameter);
  return bias ? context.model.node("Add", [y, context.name(bias)]) : y;
}

/** The product with a weight each of whose blocks has a scale. */
function rowsProduct(context: LoweringContext, x: Value, parameter: BlockParameter): string {
  const { blocks } = context.products;
  if (typeof blocks === "object") {
    return blocks.rows === "few"
      ? unpackedProduct(context, x, parameter, blocks.unpacked)
      : decodedProduct(context, x, parameter, { rounds: true });
  }
  return (parameter.encoding.bits === 4 || blocks === "packed" ? codedProduct : decodedProduct)(context, x, parameter);
}

/** The product of whole numbers with a weight whose rows have one scale, and the bias. */
function wholeProduct(
  context: LoweringContext,
  [x, bias]: readonly [x: Value, bias?: Value],
  parameter: BlockParameter,
): string {
  const { encoding, form } = parameter;
  const { rows: N, columns: K } = blockShapes(parameter.shape, encoding);
  const [rounded, scale, middle] = context.once(x, "8 bits", () => {
    const outputs = [context.model.fresh(), context.model.fresh(), context.model.fresh()];
    context.model.node("DynamicQuantizeLinear", [context.name(x)], {}, { outputs });
    return outputs;
  });
  const operands = [
    ...[rounded, initializerOf(context, parameter, { part: "codes", shape: [K, N] })],
    ...[scale, initializerOf(context, parameter, { part: "rowScales", shape: [N] })],
    ...[middle, form === "columns" ? context.filled("uint8", [N], middleOf(encoding)) : ""],
    ...(bias ? [context.name(bias)] : []),
  ];
  return context.model.node("MatMulIntegerToFloat", operands, {}, { domain: microsoftDomain });
}

/** The product with codes: of inputs rounded to 8 bits, or of float32 where the weight has 4 bits. */
function codedProduct(context: LoweringContext, x: Value, parameter: BlockParameter): string {
  const { bits, block } = parameter.encoding;
  const { rows: N, columns: K, stored, scales } = blockShapes(parameter.shape, parameter.encoding);
  const operands = [
    initializerOf(context, parameter, { part: "codes", shape: stored }),
    initializerOf(context, parameter, { part: "scales", shape: scales }),
  ];
  const attributes = { K, N, bits, block_size: block, accuracy_level: context.products.blocks === "packed" ? 4 : 1 };
  return context.model.node("MatMulNBits", [context.name(x), ...operands], attributes, { domain: microsoftDomain });
}

/** Write the rows of a table in blocks of 8 bits. */
export function blockGather(context: LoweringContext, node: Node, parameter: BlockParameter): string[] {
  const { model } = context;
  const { encoding } = parameter;
  const { codes, scales } = blockShapes(parameter.shape, encoding);
  const [, indices]: readonly Value[] = node.inputs;
  const rows = (name: string) => model.node("Gather", [name, context.name(indices)], { axis: 0 });
  const code = rows(initializerOf(context, parameter, { part: "codes", shape: codes }));
  const scale = rows(initializerOf(context, parameter, { part: "scales", shape: scales }));
  const numbers = model.node("Cast", [code], { to: onnxTypes.float32 });
  const centred = model.node("Sub", [numbers, context.scalar(middleOf(encoding))]);
  // [..., blocks, block]: every axis of the indices is kept.
  const kept = indices.shape.map(() => 0);
  const cut = model.node("Reshape", [centred, context.integers([...kept, scales[1], encoding.block])]);
  const factors = model.node("Unsqueeze", [scale, context.integers([indices.rank + 1])]);
  const decoded = model.node("Mul", [cut, factors]);
  return context.write(node, "Reshape", [decoded, context.integers([...kept, codes[1]])]);
}
