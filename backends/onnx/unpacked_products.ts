// Products with codes of 8 or 4 bits as they lie, which take no memory of their own. Few rows are multiplied in whole numbers; that
// takes time for each row, so that of many rows it is faster to decode the weights in each run. Both round an input the same: a row's
// result does not depend on how many rows are beside it.
import type { Value } from "../../src/graph/mod.ts";
import { type BlockEncoding, blockShapes, middleOf } from "../../src/weights/mod.ts";
import { initializerOf } from "./block_initializer.ts";
import type { BlockParameter } from "./block_parameter.ts";
import type { LoweringContext } from "./lowering_context.ts";
import { microsoftDomain, onnxTypes } from "./model_builder.ts";

/**
 * Up to so many rows, by the weights' bits, multiplying codes takes no longer than decoding the weights: a step of ViT-B/16 with
 * GPT-2, on two cores with AVX-512, 29, 65, 104 and 157 ms of 1, 4, 8 and 12 rows against 180 to 220 with 8 bits, and 57, 146 and
 * 226 ms of 1, 4 and 8 rows against 200 with 4.
 */
export const fewRows = { 8: 12, 4: 6 } as const;

/** The most numbers that are decoded at once: 16 MB. */
const mostDecoded = 1 << 22;

/**
 * The product with a weight that is decoded in each run, part by part: as a whole it would take float32's memory.
 *
 * @param options.rounds Whether the input is rounded as {@linkcode unpackedProduct} rounds it; else the weight must have 8 bits.
 */
export function decodedProduct(
  context: LoweringContext,
  x: Value,
  parameter: BlockParameter,
  { rounds = false }: { rounds?: boolean } = {},
): string {
  const { model } = context;
  const { encoding } = parameter;
  const { rows: N, columns: K, codes: [, bytes], scales: [, blocks] } = blockShapes(parameter.shape, encoding);
  const inputs = rounds ? roundedBlocks(context, x, encoding) : [context.name(x)];
  const count = Math.max(1, Math.floor(mostDecoded / K));
  const products: string[] = [];
  for (let row = 0; row < N; row += count) {
    const rows = Math.min(count, N - row);
    const codes = codesOf(context, x, parameter, { rows, bytes, row });
    const scales = initializerOf(context, parameter, { part: "scales", shape: [rows, blocks], row });
    const middle = context.filled("uint8", [rows, blocks], middleOf(encoding));
    products.push(sumOf(
      context,
      codes.map((name, half) => {
        const attributes = { axis: 1, block_size: encoding.block / codes.length };
        const weight = model.node("DequantizeLinear", [name, scales, middle], attributes, { inEachRun: true });
        return model.node("FusedMatMul", [inputs[half], weight], { transB: 1 }, { domain: microsoftDomain });
      }),
    ));
  }
  const whole = products.length === 1 ? products[0] : model.node("Concat", products, { axis: -1 });
  return rounds ? context.reshape(whole, [], [...x.shape.slice(0, -1), N]) : whole;
}

/** The sum of some values of one shape. */
function sumOf({ model }: LoweringContext, [first, ...others]: readonly string[]): string {
  return others.reduce((sum, other) => model.node("Add", [sum, other]), first);
}

/** The most sums of blocks, of each row of an input, that a product with codes as they lie has at once: 2 MB. */
const mostSums = 1 << 19;

/**
 * The product with codes as they lie. The input becomes a matrix in which each of its blocks has a column of its own, with zeros
 * beside the block: so a product of whole numbers gives the sum of each block, which its scale then multiplies.
 */
export function unpackedProduct(
  context: LoweringContext,
  x: Value,
  parameter: BlockParameter,
  type: "int8" | "uint8",
): string {
  const { model } = context;
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
    const codes = codesOf(context, x, parameter, { rows, bytes, row });
    const halves = codes.map((name, half) => {
      const operands = [name, columns[half], context.scalar(1), inputScales, middle, inputMiddle];
      return model.node("MatMulIntegerToFloat", operands, {}, { domain: microsoftDomain });
    });
    const sums = model.node("Reshape", [sumOf(context, halves), context.integers([rows, -1, blocks])]);
    const scales = initializerOf(context, parameter, { part: "scales", shape: [rows, 1, blocks], row });
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
  const [cut, scales] = scaledBlocks(context, x, block, { keepsAxis: false });
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

/** An input [..., K] in blocks, [M · K / block, block], and the scales with which they are rounded, [M · K / block] or [.., 1]. */
function scaledBlocks(
  context: LoweringContext,
  x: Value,
  block: number,
  { keepsAxis }: { keepsAxis: boolean },
): [cut: string, scales: string] {
  const { model } = context;
  const cut = model.node("Reshape", [context.name(x), context.integers([-1, block])]);
  const sizes = model.node("Abs", [cut]);
  const largest = model.node("ReduceMax", [sizes, context.integers([1])], { keepdims: Number(keepsAxis) });
  const scales = model.node("Mul", [largest, context.scalar(1 / 127)]);
  return [cut, model.node("Max", [scales, context.scalar(leastScale)])];
}

/**
 * An input [..., K] whose blocks are rounded as {@linkcode blockColumns} rounds them.
 *
 * @returns The name of the numbers, [M, K]; where weights have 4 bits those of the even and of the odd ones, [M, K / 2] each.
 */
function roundedBlocks(context: LoweringContext, x: Value, { bits, block }: BlockEncoding): readonly string[] {
  const { model } = context;
  return context.once(x, `rounded in blocks of ${block}, ${bits} bits`, () => {
    const [cut, scales] = scaledBlocks(context, x, block, { keepsAxis: true });
    const codes = model.node("Round", [model.node("Div", [cut, scales])]);
    const rounded = model.node("Mul", [codes, scales]);
    const K = x.shape.at(-1) as number;
    if (bits === 8) return [model.node("Reshape", [rounded, context.integers([-1, K])])];
    const pairs = model.node("Reshape", [rounded, context.integers([-1, K / 2, 2])]);
    return [0n, 1n].map((half) => {
      const index = context.constant(`half ${half}`, "int64", [], BigInt64Array.of(half));
      return model.node("Gather", [pairs, index], { axis: 2 });
    });
  });
}

/** The codes of some rows, a byte each: all of them, or where they have 4 bits the even and the odd ones. */
function codesOf(
  context: LoweringContext,
  x: Value,
  parameter: BlockParameter,
  { rows, bytes, row }: { rows: number; bytes: number; row: number },
): string[] {
  const stored = initializerOf(context, parameter, { part: "codes", shape: [rows, bytes], row });
  return parameter.encoding.bits === 8 ? [stored] : halvesOf(context, x, stored);
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
