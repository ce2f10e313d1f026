// Parameters in blocks of 8 or 4 bits, in ONNX Runtime's operators. A product of few rows reads each weight once, so it is
// bound by bytes: MatMulNBits multiplies packed codes with inputs rounded to 8 bits; where memory is short codes are read as they
// lie. A product of many rows is bound by
// arithmetic: of weights whose rows have one scale it is a product of whole numbers, of inputs rounded with one scale; of others
// it is faster in float32, with weights decoded in each run, on processors without instructions for 8-bit integers. A table of
// words is read a row at a time, and only what is read is decoded.
import type { Graph, Node, Value } from "../../src/graph/mod.ts";
import type { AttributesOf } from "../../src/operators/mod.ts";
import { bytesPerElement, sizeOf } from "../../src/tensor/mod.ts";
import { type BlockEncoding, blockShapes, codeType, middleOf } from "../../src/weights/mod.ts";
import type { BlockParameter, BlockPart } from "./block_parameter.ts";
import type { LoweringContext } from "./lowering_context.ts";
import { microsoftDomain, onnxTypes } from "./model_builder.ts";

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

/** The initializer of the rows from `row` on of a part of a parameter, written once for each form. */
function part(
  context: LoweringContext,
  parameter: BlockParameter,
  { part, shape, row = 0 }: { part: BlockPart; shape: readonly number[]; row?: number },
): string {
  const name = `${part}:${shape.join("x")}@${row}:${parameter.name}`;
  if (context.blockInitializers.some((known) => known.name === name)) return name;
  const dataType = part === "codes" ? codeType(parameter.form) : "float32";
  const byteLength = sizeOf(shape) * bytesPerElement(dataType);
  const offset = row * byteLength / shape[0];
  context.blockInitializers.push({ name, parameter: parameter.name, part, dataType, shape, offset });
  const region = parameter[part === "codes" ? "codes" : "scales"];
  return context.model.initializer(name, dataType, shape, { ...region, offset: region.offset + offset, byteLength });
}

/** The most numbers that are decoded at once: 16 MB. */
const mostDecoded = 1 << 22;

/** Write x · weight + bias, with the weight in blocks. @returns The name of the result, [..., N]. */
export function blockProduct(context: LoweringContext, node: Node, parameter: BlockParameter): string {
  const [x, , bias] = node.inputs;
  if (parameter.form !== "rows") return wholeProduct(context, [x, bias], parameter);
  const { blocks } = context.products;
  const y = typeof blocks === "object"
    ? unpackedProduct(context, node, parameter, blocks.unpacked)
    : (parameter.encoding.bits === 4 || blocks === "packed" ? codedProduct : decodedProduct)(context, x, parameter);
  return bias ? context.model.node("Add", [y, context.name(bias)]) : y;
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
    ...[rounded, part(context, parameter, { part: "codes", shape: [K, N] })],
    ...[scale, part(context, parameter, { part: "rowScales", shape: [N] })],
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
    part(context, parameter, { part: "codes", shape: stored }),
    part(context, parameter, { part: "scales", shape: scales }),
  ];
  const attributes = { K, N, bits, block_size: block, accuracy_level: context.products.blocks === "packed" ? 4 : 1 };
  return context.model.node("MatMulNBits", [context.name(x), ...operands], attributes, { domain: microsoftDomain });
}

/** The product with a weight of 8 bits that is decoded in each run, part by part: as a whole it would take float32's memory. */
function decodedProduct(context: LoweringContext, x: Value, parameter: BlockParameter): string {
  const { model } = context;
  const { encoding } = parameter;
  const { rows: N, columns: K, codes: [, bytes], scales: [, blocks] } = blockShapes(parameter.shape, encoding);
  const count = Math.max(1, Math.floor(mostDecoded / K));
  const products: string[] = [];
  for (let row = 0; row < N; row += count) {
    const rows = Math.min(count, N - row);
    const operands = [
      part(context, parameter, { part: "codes", shape: [rows, bytes], row }),
      part(context, parameter, { part: "scales", shape: [rows, blocks], row }),
      context.filled("uint8", [rows, blocks], middleOf(encoding)),
    ];
    const weight = model.node("DequantizeLinear", operands, { axis: 1, block_size: encoding.block }, {
      inEachRun: true,
    });
    products.push(model.node("FusedMatMul", [context.name(x), weight], { transB: 1 }, { domain: microsoftDomain }));
  }
  return products.length === 1 ? products[0] : model.node("Concat", products, { axis: -1 });
}

/** The most sums of blocks, of each row of an input, that a product with codes as they lie has at once: 2 MB. */
const mostSums = 1 << 19;

/**
 * The product with codes as they lie. The input becomes a matrix in which each of its blocks has a column of its own, with zeros
 * beside the block: so a product of whole numbers gives the sum of each block, which its scale then multiplies.
 */
function unpackedProduct(
  context: LoweringContext,
  node: Node,
  parameter: BlockParameter,
  type: "int8" | "uint8",
): string {
  const { model } = context;
  const [x]: readonly Value[] = node.inputs;
  const { encoding } = parameter;
  const { rows: N, codes: [, bytes], scales: [, blocks] } = blockShapes(parameter.shape, encoding);
  const [inputScales, ...columns] = context.once(
    x,
    `columns of blocks of ${encoding.block}, ${encoding.bits} bits`,
    () => blockColumns(context, x, { encoding, blocks, type }),
  );
  const middle = context.filled("uint8", [], middleOf(encoding));
  const inputMiddle = type === "uint8" ? context.filled("uint8", [], signBit) : "";
  const count = Math.max(1, Math.floor(mostSums / blocks));
  const products: string[] = [];
  for (let row = 0; row < N; row += count) {
    const rows = Math.min(count, N - row);
    const stored = part(context, parameter, { part: "codes", shape: [rows, bytes], row });
    const codes = encoding.bits === 8 ? [stored] : halvesOf(context, x, stored);
    const [first, ...others] = codes.map((name, half) => {
      const operands = [name, columns[half], context.scalar(1), inputScales, middle, inputMiddle];
      return model.node("MatMulIntegerToFloat", operands, {}, { domain: microsoftDomain });
    });
    const sums = model.node("Reshape", [
      others.reduce((sum, other) => model.node("Add", [sum, other]), first),
      context.integers([rows, -1, blocks]),
    ]);
    const scales = part(context, parameter, { part: "scales", shape: [rows, 1, blocks], row });
    const scaled = model.node("Mul", [sums, scales]);
    products.push(model.node("ReduceSum", [scaled, context.integers([2])], { keepdims: 0 }));
  }
  const whole = products.length === 1 ? products[0] : model.node("Concat", products, { axis: 0 });
  const turned = model.node("Transpose", [whole], { perm: [1, 0] });
  return context.reshape(turned, [], [...x.shape.slice(0, -1), N]);
}

/** The scale of a block of zeros. */
const leastScale = 1e-30;
/** What a code of -128 to 127 is less than the same code from 0 on, in the same bits but for one. */
const signBit = 128;

/**
 * An input [..., K] as columns of blocks.
 *
 * @returns The names of the blocks' scales, [M · blocks], M being the input's rows, and of the codes [K, M · blocks]; where weights
 * have 4 bits those of the even and of the odd numbers of the blocks, [K / 2, M · blocks] each.
 */
function blockColumns(
  context: LoweringContext,
  x: Value,
  { encoding: { bits, block }, blocks, type }: { encoding: BlockEncoding; blocks: number; type: "int8" | "uint8" },
): string[] {
  const { model } = context;
  const reshape = (name: string, shape: readonly number[]) => model.node("Reshape", [name, context.integers(shape)]);
  const cut = reshape(context.name(x), [-1, block]);
  const largest = model.node("ReduceMax", [model.node("Abs", [cut]), context.integers([1])], { keepdims: 0 });
  const scales = model.node("Max", [
    model.node("Mul", [largest, context.scalar(1 / 127)]),
    context.scalar(leastScale),
  ]);
  const codes = model.node("QuantizeLinear", [cut, scales], { axis: 0, output_dtype: onnxTypes.int8 });
  // [halves, blocks, numbers, M, 1]: all bits of what is beside a block's own column become 0.
  const halves = 8 / bits;
  const parts = reshape(codes, [-1, blocks, block / halves, halves, 1]);
  const turned = model.node("Transpose", [parts], { perm: [3, 1, 2, 0, 4] });
  const own = Uint8Array.from({ length: blocks * blocks }, (_, i) => i % (blocks + 1) === 0 ? 255 : 0);
  const mask = context.constant(`own columns of ${blocks}`, "int8", [blocks, 1, 1, blocks], own);
  let columns = reshape(model.node("BitwiseAnd", [turned, mask]), [blocks * block, -1]);
  if (type === "uint8") {
    const flipped = model.node("BitwiseXor", [columns, context.filled("int8", [], -signBit)]);
    columns = model.node("Cast", [flipped], { to: onnxTypes.uint8 });
  }
  if (halves === 1) return [scales, columns];
  const outputs = [model.fresh(), model.fresh()];
  model.node("Split", [columns], { axis: 0, num_outputs: 2 }, { outputs });
  return [scales, ...outputs];
}

/** The codes of 4 bits in the lower and in the upper halves of bytes, in bytes of their own. */
function halvesOf(context: LoweringContext, x: Value, bytes: string): string[] {
  const { model } = context;
  // Numbers that ONNX Runtime does not know while it compiles: else it would compute the halves then, and keep them.
  const [mask, shift] = context.once(x, "numbers of a run", () => {
    const length = model.node("Shape", [context.name(x)], { start: 0, end: 1 });
    return [15, 4].map((number) => {
      const bound = model.node("Squeeze", [context.integers([number])]);
      return model.node("Cast", [model.node("Clip", [length, bound, bound])], { to: onnxTypes.uint8 });
    });
  });
  return [
    model.node("BitwiseAnd", [bytes, mask]),
    model.node("BitShift", [bytes, shift], { direction: "RIGHT" }),
  ];
}

/** Write the rows of a table in blocks of 8 bits. */
export function blockGather(context: LoweringContext, node: Node, parameter: BlockParameter): string[] {
  const { model } = context;
  const { encoding } = parameter;
  const { codes, scales } = blockShapes(parameter.shape, encoding);
  const [, indices]: readonly Value[] = node.inputs;
  const rows = (name: string) => model.node("Gather", [name, context.name(indices)], { axis: 0 });
  const code = rows(part(context, parameter, { part: "codes", shape: codes }));
  const scale = rows(part(context, parameter, { part: "scales", shape: scales }));
  const numbers = model.node("Cast", [code], { to: onnxTypes.float32 });
  const centred = model.node("Sub", [numbers, context.scalar(middleOf(encoding))]);
  // [..., blocks, block]: every axis of the indices is kept.
  const kept = indices.shape.map(() => 0);
  const cut = model.node("Reshape", [centred, context.integers([...kept, scales[1], encoding.block])]);
  const factors = model.node("Unsqueeze", [scale, context.integers([indices.rank + 1])]);
  const decoded = model.node("Mul", [cut, factors]);
  return context.write(node, "Reshape", [decoded, context.integers([...kept, codes[1]])]);
}
