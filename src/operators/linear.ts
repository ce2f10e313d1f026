// Products with a weight: the fully connected layer, and the convolution of patches that do not overlap.
import { type Dimension, OperandError, type Operator, type Value } from "../graph/mod.ts";
import { activate, type Activation } from "./activation.ts";
import { add } from "./elementwise.ts";
import { matmul, transposeLast } from "./matmul.ts";
import { reshape, transpose } from "./movement.ts";
import { floatType } from "./shape_inference.ts";

/** The attributes of `linear`. */
export interface LinearAttributes {
  /** `out_in` as torch.nn.Linear stores it, or `in_out` as GPT-2's Conv1D does. @default "out_in" */
  readonly weightLayout?: "out_in" | "in_out";
  /** Applied to the result. @default none */
  readonly activation?: Activation;
}

const linearOperator: Operator<LinearAttributes> = {
  name: "linear",
  operands: ["x", "weight", "bias?"],
  infer: ([x, weight, bias], { weightLayout = "out_in" }) => {
    if (x.shape.length < 2 || weight.shape.length !== 2) throw new OperandError("x needs two axes, weight has two");
    const [out, into] = weightLayout === "out_in" ? weight.shape : [weight.shape[1], weight.shape[0]];
    if (x.shape.at(-1) !== into) throw new OperandError(`x must end with ${into}, the weight's input width`);
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) throw new OperandError(`bias must be [${out}]`);
    return [{ dataType: floatType(bias ? [x, weight, bias] : [x, weight]), shape: [...x.shape.slice(0, -1), out] }];
  },
  decompose: ([x, weight, bias], { weightLayout = "out_in", activation }) => {
    // A backend may have the product without having the activation.
    if (activation) return [activate(linear(x, weight, { bias, weightLayout }), activation)];
    const y = matmul(x, weightLayout === "out_in" ? transposeLast(weight) : weight);
    return [bias ? add(y, bias) : y];
  },
};

const conv2dOperator: Operator<{ strides: readonly number[] }> = {
  name: "conv2d",
  operands: ["x", "weight", "bias?"],
  infer: ([x, weight, bias], { strides }) => {
    if (x.shape.length !== 4 || weight.shape.length !== 4) throw new OperandError("both must have four axes");
    const [batch, channels, ...size] = x.shape;
    const [out, into, ...kernel] = weight.shape;
    if (into !== channels) throw new OperandError("the channels must be equal");
    if (kernel.join() !== strides.join()) {
      throw new OperandError(`the strides [${strides}] must be those of the kernel: only patches are supported`);
    }
    if (bias && bias.shape.join() !== String(out)) throw new OperandError(`bias must be [${out}]`);
    const grid = size.map((length, i) => {
      if (typeof length !== "number" || length % strides[i] !== 0) {
        throw new OperandError(`the picture's ${length} must be a multiple of the patch's ${strides[i]}`);
      }
      return length / strides[i];
    });
    return [{ dataType: floatType(bias ? [x, weight, bias] : [x, weight]), shape: [batch, out, ...grid] }];
  },
  // Each patch becomes a row of channels · height · width numbers, and the kernel a matrix.
  decompose: ([x, weight, bias], { strides: [h, w] }) => {
    const [batch, channels, height, width] = x.shape as [Dimension, number, number, number];
    const out = weight.shape[0];
    const [rows, columns] = [height / h, width / w];
    const cells = reshape(x, { shape: [batch, channels, rows, h, columns, w] });
    const patches = reshape(transpose(cells, { permutation: [0, 2, 4, 1, 3, 5] }), {
      shape: [batch, rows * columns, channels * h * w],
    });
    const y = linear(patches, reshape(weight, { shape: [out, channels * h * w] }), { bias });
    return [reshape(transposeLast(y), { shape: [batch, out, rows, columns] })];
  },
};

/** The composites that multiply with a weight. */
export const weightProducts = { linear: linearOperator, conv2d: conv2dOperator };

/**
 * A fully connected layer: activation(x · weight + bias).
 *
 * @param x Shape [..., in].
 * @param weight Shape [out, in], or [in, out] with `weightLayout: "in_out"`.
 * @returns Shape [..., out].
 */
export function linear(x: Value, weight: Value, options: LinearAttributes & { bias?: Value } = {}): Value {
  const { bias, ...attributes } = options;
  return x.builder.add(weightProducts.linear, bias ? [x, weight, bias] : [x, weight], attributes)[0];
}

/**
 * A convolution whose stride is its kernel: one linear layer for every patch.
 *
 * @param x Pictures, [B, C, H, W] with H and W whole numbers.
 * @param weight Kernels, [O, C, strides[0], strides[1]].
 * @returns Shape [B, O, H / strides[0], W / strides[1]].
 */
export function conv2d(x: Value, weight: Value, options: { strides: readonly number[]; bias?: Value }): Value {
  const { bias, ...attributes } = options;
  return x.builder.add(weightProducts.conv2d, bias ? [x, weight, bias] : [x, weight], attributes)[0];
}
