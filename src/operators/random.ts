// Random decisions that depend on nothing but a key, a stream and a place, so that they are the same on every backend and in
// any order, and a gradient finds again what the forward pass drew. Think of a table of words with a row for each line along
// the last axis: a line has a random word, a place along the lines has one, and the two are mixed into the place's own.
import { OperandError, type Operator, type Shape, type Value } from "../graph/mod.ts";
import { cast, mul } from "./elementwise.ts";
import { philox } from "./philox.ts";
import { floatType } from "./shape_inference.ts";

/** The attributes of `bernoulli`. */
export interface BernoulliAttributes {
  readonly shape: Shape;
  /** How probable true is, more than 0 and at most 1; to the nearest 2⁻³². */
  readonly probability: number;
  /** Which draws these are: an unsigned 32-bit number. Equal streams of one key draw alike. */
  readonly stream: number;
}

/** The attributes of `dropout`. */
export interface DropoutAttributes {
  /** How probable it is that an element is dropped, from 0 to less than 1. */
  readonly probability: number;
  /** Which draws these are, as for `bernoulli`. */
  readonly stream: number;
  /** Whether what is along the first axis is dropped as a whole: stochastic depth (Huang et al. 2016). @default false */
  readonly perSample?: boolean;
}

/** The odd factors of the mixing function, Wellons' lowbias32. */
export const mixFactors = [0x7feb352d, 0x846ca68b] as const;

/** Mix all bits of a word into all others (Wellons 2018, lowbias32). */
export function mixWord(word: number): number {
  word = Math.imul(word ^ (word >>> 16), mixFactors[0]);
  word = Math.imul(word ^ (word >>> 15), mixFactors[1]);
  return (word ^ (word >>> 16)) >>> 0;
}

/** The least word that is true: a word is as probable as any other of the 2³². */
export function leastTrue(probability: number): number {
  return Math.min(2 ** 32 - 1, Math.round((1 - probability) * 2 ** 32));
}

/** The stream of a name: FNV-1a. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * The key of one step's draws.
 *
 * @param seed A whole number from 0 to 2⁵³ − 1.
 * @param step Likewise: keys of different steps draw independently.
 * @returns Two words, [2], int64, each of 32 bits.
 */
export function randomKey(seed: number, step: number): BigInt64Array<ArrayBuffer> {
  // The last word sets these draws apart from those of tokens.
  const words = Uint32Array.of(step >>> 0, Math.floor(step / 2 ** 32), 0, 1);
  philox(words, seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0);
  return BigInt64Array.of(BigInt(words[0] | 0), BigInt(words[1] | 0));
}

const bernoulliOperator: Operator<BernoulliAttributes> = {
  name: "bernoulli",
  operands: ["key"],
  infer: ([key], { shape, probability, stream }) => {
    if (key.dataType !== "int64" || key.shape.join() !== "2") throw new OperandError("the key must be int64 [2]");
    if (!(probability > 0 && probability <= 1)) {
      throw new OperandError(`the probability must be more than 0 and at most 1, not ${probability}`);
    }
    if (stream >>> 0 !== stream) throw new OperandError(`the stream ${stream} is no unsigned 32-bit number`);
    return [{ dataType: "bool", shape }];
  },
};

/** The shape of the decisions that `dropout` takes for a shape. */
export function decisionShape(shape: Shape, { perSample = false }: DropoutAttributes): Shape {
  return perSample ? shape.map((length, axis) => axis === 0 ? length : 1) : shape;
}

const dropoutOperator: Operator<DropoutAttributes> = {
  name: "dropout",
  operands: ["x", "key"],
  infer: ([x, key], attributes) => {
    const { probability, stream } = attributes;
    if (!(probability >= 0 && probability < 1)) {
      throw new OperandError(`the probability must be at least 0 and less than 1, not ${probability}`);
    }
    bernoulliOperator.infer([key], { probability: 1 - probability, stream, shape: x.shape });
    return [{ dataType: floatType([x]), shape: x.shape }];
  },
  decompose: ([x, key], attributes) => {
    const { probability, stream } = attributes;
    const kept = bernoulli(key, { shape: decisionShape(x.shape, attributes), probability: 1 - probability, stream });
    const scale = x.builder.scalar(1 / (1 - probability), x.dataType);
    return [mul(mul(x, scale), cast(kept, { dataType: x.dataType }))];
  },
};

/** The primitive that draws. */
export const randomPrimitives = { bernoulli: bernoulliOperator };

/** The composite that drops. */
export const randomComposites = { dropout: dropoutOperator };

/**
 * Random decisions, each true with a probability.
 *
 * @param key What `randomKey` gives, an input of the program, [2], int64.
 * @returns bool, of the given shape.
 */
export function bernoulli(key: Value, attributes: BernoulliAttributes): Value {
  return key.builder.add(randomPrimitives.bernoulli, [key], attributes)[0];
}

/** Drop elements of x at random, and divide those that stay by how probable that is (Srivastava et al. 2014). */
export function dropout(x: Value, key: Value, attributes: DropoutAttributes): Value {
  return x.builder.add(randomComposites.dropout, [x, key], attributes)[0];
}
