// Scaled dot-product attention with everything a decoder needs: a cache of which only the first positions are used, keys
// shared by beams, and causality and an additive mask together.
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  OperandError,
  type Operator,
  type Shape,
  type TensorType,
  type Value,
} from "../graph/mod.ts";
import { isFloat } from "../tensor/mod.ts";
import { add, cast, greaterOrEqual, mul, where } from "./elementwise.ts";
import { lowestScore } from "./lowest_score.ts";
import { matmul, transposeLast } from "./matmul.ts";
import { reshape, slice } from "./movement.ts";
import { softmax } from "./normalization.ts";
import { range } from "./reduction.ts";
import { broadcastShapes, checkRowNumbers, floatType, positionsLeft, sameShape } from "./shape_inference.ts";

/** The attributes of `attention`. */
export interface AttentionAttributes {
  /** Whether query t of T sees only keys up to `length − T + t`. @default false */
  readonly causal?: boolean;
  /**
   * How many keys are used: the first ones of the buffer. Where rows have lengths of their own, as an operand, no row
   * has more. @default all S
   */
  readonly length?: Dimension;
  /** The factor of the products of queries and keys. @default 1 / √D */
  readonly scale?: number;
}

/** The operands of an attention, of which two may be left out; they differ in their types. */
export interface AttentionOperands<T extends TensorType = Value> {
  readonly query: T;
  readonly key: T;
  readonly value: T;
  readonly mask: T | undefined;
  /** How many keys each row uses, [rows], int64 or int32, from 1 to the attribute `length`. */
  readonly lengths: T | undefined;
}

/** The operands of an attention by name. */
export function attentionOperands<T extends TensorType>(
  [query, key, value, ...others]: readonly T[],
): AttentionOperands<T> {
  const find = (numbers: boolean) => others.find(({ dataType }) => isFloat(dataType) === numbers);
  return { query, key, value, mask: find(true), lengths: find(false) };
}

/** How many beams share each row of keys: the query's rows divided by the key's rows. */
export function beamsPerKeyRow(query: TensorType, key: TensorType): Dimension {
  const beams = divideDimensions(query.shape[0], key.shape[0]);
  if (beams === undefined) throw new OperandError(`query's rows must be a multiple of key's`);
  return beams;
}

/** The used keys or values, [batch, H, used, D]; where beams share them, with a beam axis of length 1 after the first. */
function usedPositions(x: Value, length: Dimension | undefined, beams: Dimension): Value {
  const [batch, heads, S, width] = x.shape;
  const used = length ?? S;
  const kept = used === S ? x : slice(x, { starts: [0, 0, 0, 0], sizes: [batch, heads, used, width] });
  return beams === 1 ? kept : reshape(kept, { shape: [batch, 1, ...kept.shape.slice(1)] });
}

/**
 * Which keys the queries see, or nothing where they see all that are used.
 *
 * @param lead The leading axes of scores: [rows], or [batch, beams].
 * @returns Shape [T, used], or [...lead, 1, T or 1, used] where rows have lengths of their own.
 */
function visibleKeys(
  { query, lengths }: Pick<AttentionOperands, "query" | "lengths">,
  { causal, used, lead }: { causal: boolean; used: Dimension; lead: Shape },
): Value | undefined {
  const { builder, shape: [, , T] } = query;
  if (!causal && !lengths) return undefined;
  const keys = range(builder, { size: used });
  if (!lengths) {
    const position = range(builder, { size: T, start: addDimensions(used, T, -1) });
    return greaterOrEqual(reshape(position, { shape: [T, 1] }), keys);
  }
  const own = reshape(cast(lengths, { dataType: "int64" }), { shape: [...lead, 1, 1, 1] });
  const last = causal
    ? add(own, reshape(range(builder, { size: T, start: addDimensions(0, T, -1) }), { shape: [T, 1] }))
    : add(own, builder.scalar(-1, "int64"));
  return greaterOrEqual(last, keys);
}

/** The attention weights, [rows, H, T, used]; where beams share keys, [batch, beams, H, T, used]. */
function attentionWeights(
  { query, key, mask, lengths }: Omit<AttentionOperands, "value">,
  { causal = false, length, scale }: AttentionAttributes,
): Value {
  const { builder, dataType } = query;
  const [rows, heads, T, D] = query.shape;
  const [batch, , S] = key.shape;
  const used = length ?? S;
  const beams = beamsPerKeyRow(query, key);
  const split = beams !== 1;
  const q = split ? reshape(query, { shape: [batch, beams, heads, T, D] }) : query;
  const factor = builder.scalar(scale ?? 1 / Math.sqrt(D as number), dataType);
  let scores = mul(matmul(q, transposeLast(usedPositions(key, length, beams))), factor);
  if (mask) {
    const [from, ...rest] = mask.shape;
    const kept = used === S || rest[2] === 1
      ? mask
      : slice(mask, { starts: [0, 0, 0, 0], sizes: [from, rest[0], rest[1], used] });
    const lead = from === 1 ? [1, 1] : from === rows ? [batch, beams] : [batch, 1];
    scores = add(scores, split ? reshape(kept, { shape: [...lead, ...kept.shape.slice(1)] }) : kept);
  }
  const visible = visibleKeys({ query, lengths }, { causal, used, lead: split ? [batch, beams] : [rows] });
  if (visible) scores = where(visible, scores, builder.scalar(lowestScore, dataType));
  return softmax(scores, { axis: -1 });
}

const attentionOperator: Operator<AttentionAttributes> = {
  name: "attention",
  operands: ["query", "key", "value", "mask or lengths?", "lengths?"],
  infer: (inputs, { length }) => {
    const { query, key, value, mask, lengths } = attentionOperands(inputs);
    if ([query, key, value].some(({ shape }) => shape.length !== 4)) throw new OperandError("all need four axes");
    const [rows, heads, T, D] = query.shape;
    const [batch, keyHeads, S, keyWidth] = key.shape;
    beamsPerKeyRow(query, key);
    if (keyHeads !== heads) throw new OperandError("query and key must have the same heads");
    if (keyWidth !== D) throw new OperandError("query and key must have the same width");
    if (!sameShape(value.shape.slice(0, 3), key.shape.slice(0, 3))) {
      throw new OperandError("key and value must have the same rows, heads and positions");
    }
    if (typeof length === "number" && typeof S === "number" && length > S) {
      throw new OperandError(`the used length ${length} is more than the ${S} positions of key`);
    }
    if (lengths) checkRowNumbers(lengths, rows, "lengths");
    if (mask) {
      if (mask.shape.length !== 4) throw new OperandError("mask needs four axes");
      const whole = mask.shape[0] === batch ? [batch, heads, T, S] : [rows, heads, T, S];
      if (!sameShape(broadcastShapes(mask.shape, whole), whole)) {
        throw new OperandError(`mask must broadcast to [${whole.join(", ")}]`);
      }
    }
    return [{
      dataType: floatType(mask ? [query, key, value, mask] : [query, key, value]),
      shape: [rows, heads, T, value.shape[3]],
    }];
  },
  bounds: (inputs, { length }) => length === undefined ? [] : [length, positionsLeft(inputs[1].shape[2], 0, length)],
  decompose: (inputs, attributes) => {
    const { query, key, value, mask, lengths } = attentionOperands(inputs);
    const [rows, heads, T] = query.shape;
    const result = matmul(
      attentionWeights({ query, key, mask, lengths }, attributes),
      usedPositions(value, attributes.length, beamsPerKeyRow(query, key)),
    );
    return [result.rank === 5 ? reshape(result, { shape: [rows, heads, T, value.shape[3]] }) : result];
  },
};

/** The attention composite. */
export const attentions = { attention: attentionOperator };

/**
 * Scaled dot-product attention (Vaswani et al. 2017): softmax(scale · query · keyᵀ + mask) · value.
 *
 * @param query Shape [rows, H, T, D].
 * @param key Shape [batch, H, S, D]; rows = batch · beams, and the beams of a row share its keys.
 * @param value Shape [batch, H, S, E].
 * @param options.mask Added to the products, broadcast to [rows or batch, H, T, S]. With `causal`, a query all of
 * whose keys are masked by `lowestScore` or less may attend to any key.
 * @param options.lengths How many keys each row uses, [rows], int64 or int32, where rows have lengths of their own: from 1 to
 * `length`. With `causal` from T on, and query t of T sees only keys up to the row's own length − T + t.
 * @returns Shape [rows, H, T, E].
 */
export function attention(
  query: Value,
  key: Value,
  value: Value,
  options: AttentionOptions = {},
): Value {
  const { mask, lengths, ...attributes } = options;
  const others = [mask, lengths].filter((operand) => operand !== undefined);
  return query.builder.add(attentions.attention, [query, key, value, ...others], attributes)[0];
}

/** The options of `attention`: attributes and the operands that may be left out. */
export interface AttentionOptions extends AttentionAttributes {
  readonly mask?: Value;
  readonly lengths?: Value;
}

/**
 * The weights that {@linkcode attention} gives to the values: softmax(scale · query · keyᵀ + mask).
 *
 * @param query Shape [rows, H, T, D].
 * @param key Shape [batch, H, S, D].
 * @param options As those of `attention`.
 * @returns Shape [rows, H, T, length], where length is the number of keys that are used.
 */
export function attentionProbabilities(
  query: Value,
  key: Value,
  options: AttentionOptions = {},
): Value {
  const { mask, lengths, ...attributes } = options;
  const weights = attentionWeights({ query, key, mask, lengths }, attributes);
  return weights.rank === 5 ? reshape(weights, { shape: [...query.shape.slice(0, 3), weights.shape[4]] }) : weights;
}
