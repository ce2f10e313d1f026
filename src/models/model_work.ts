// How much a model computes and reads, counted in its programs.
import {
  type Graph,
  type ModelWork,
  type Node,
  resolveShape,
  type Sizes,
  type Value,
  type WeightStorage,
} from "../graph/mod.ts";
import { sizeOf } from "../tensor/mod.ts";
import { type Architecture, buildCrossKeysValues, buildDecode, buildEncode } from "./vision_encoder_decoder.ts";

/** The bytes of a weight's number, with its share of the scales; of q4 the head, which has 8 bits, included. */
const bytesOf: Readonly<Record<WeightStorage, number>> = { float32: 4, float16: 2, q8: 1.0625, q4: 0.75 };

/** The operators that are products, which all others cost little beside. */
const products: ReadonlySet<string> = new Set(["linear", "conv2d", "matmul", "attention"]);

/** The products of a program. */
const productsOf = ({ nodes }: Graph): Node[] => nodes.filter(({ operator }) => products.has(operator.name));

/** The multiplications and additions of a product. */
function operationsOf({ operator, inputs, outputs }: Node, sizes: Sizes): number {
  const shape = ({ shape }: Value) => resolveShape(shape, sizes);
  const size = (value: Value) => sizeOf(shape(value));
  if (operator.name === "attention") {
    const [query, key] = inputs;
    // Each query meets every key, and then every value.
    return 4 * size(query) * shape(key).at(-2)!;
  }
  const [a, b] = inputs;
  const each = operator.name === "conv2d" ? size(b) / shape(b)[0] : shape(a).at(-1)!;
  return 2 * size(outputs[0]) * each;
}

/** The parameters that a program's products read. */
function weightsOf(graph: Graph): Set<Value> {
  const operands = productsOf(graph).flatMap(({ inputs }) => inputs);
  return new Set(operands.flatMap((value) => parameterOf(value) ?? []));
}

/** The parameter that a value is, in another order at most. */
function parameterOf(value: Value): Value | undefined {
  const { operator: { name }, inputs } = value.node;
  if (name === "parameter") return value;
  return name === "transpose" || name === "reshape" ? parameterOf(inputs[0]) : undefined;
}

/** What a model costs, with pictures of its own size. @param storage How its weights are held. */
export function workOf(architecture: Architecture, storage: WeightStorage = "float32"): ModelWork {
  const encode = buildEncode(architecture, architecture.encoder.imageSize);
  const sources = encode.outputs.get("encoderStates")!.shape[1] as number;
  const decode = buildDecode(architecture);
  const sizes: Sizes = { batch: 1, beams: 1, sources };
  const ofPicture = [...productsOf(encode), ...productsOf(buildCrossKeysValues(architecture))];
  const numbers = [...weightsOf(decode)].reduce((sum, { shape }) => sum + sizeOf(shape as readonly number[]), 0);
  return {
    pictureOperations: ofPicture.reduce((sum, node) => sum + operationsOf(node, sizes), 0),
    pictureProducts: ofPicture.length,
    tokenBytes: bytesOf[storage] * numbers,
    tokenProducts: productsOf(decode).length,
  };
}
