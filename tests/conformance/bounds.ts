// How far from the exact result a correct device may be: a rule for each primitive.
//
// Think of a computation as the exact one with an error bar beside each number. A device takes small steps and may round
// each of them. A rule says how far off a step's result may be: what its operands' errors do to it (the propagated error),
// and what its own rounding adds. Composites and gradients have no rules. They are made of primitives, so their bounds are
// made of the primitives' (oracle.ts does it). The field calls this running error analysis: Higham, Accuracy and Stability
// of Numerical Algorithms, 2nd edition, sections 3.1 and 3.3.
//
// - What is moved, selected or compared is exact, and so are whole numbers.
// - A product over K numbers is off by K · 2⁻²⁴ · Σ|a||b|, a sum of n by (n − 1) · 2⁻²⁴ · Σ|x|, in whatever order.
// - Arithmetic and functions are as accurate as WGSL demands: https://www.w3.org/TR/WGSL/#floating-point-accuracy, the
//   tables of concrete floating point operations and built-in functions. CPUs do better.
// - Where an operand of a sum was computed itself, WGSL lets a device add in another order (ibid., "Reassociation and
//   Fusion"): the sum is off by 2 ulp of its larger term.
// - WGSL has no erf and no sigmoid: they are as accurate as their formulas in it.
//
// A rule assumes the worst of every step. Real errors cancel: those of long sums are hundreds of times smaller than their
// bounds, which is why `assertWithin` has a ceiling besides.
import { broadcastData } from "../../backends/reference/kernel.ts";
import type { AttributesOf, PrimitiveName } from "../../src/operators/mod.ts";
import { isFloat, Tensor } from "../../src/tensor/mod.ts";

/** Numbers, and how far a correct device may be from each. */
export interface Bounded {
  /** The exact numbers: floating-point ones as float64, others in their own type. */
  readonly value: Tensor;
  /** The largest error of each, float64, in the same shape. */
  readonly error: Tensor;
}

/** A primitive with its operands. */
export interface Application<A = object> {
  readonly inputs: readonly Bounded[];
  readonly attributes: A;
  /** Its first result. */
  readonly value: Tensor;
  /** Its first result on other numbers, in float64. */
  readonly apply: (numbers: readonly Tensor[], attributes?: object) => Tensor;
}

/** The errors of a primitive's first result; others are exact. */
export type Rule<A = object> = (application: Application<A>) => Float64Array;

/** The most that rounding to nearest adds, relative to what is rounded. */
const unit = 2 ** -24;

/** What is lost of a subnormal number that is flushed to zero. */
const flushed = 2 ** -126;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The distance between the float32 numbers around x: 2^(exponent − 23). */
export function ulp(x: number): number {
  float[0] = x;
  const exponent = (bits[0] >>> 23) & 255;
  return 2 ** (Math.max(exponent, 1) - 150);
}

const ulps = (count: number, y: number): number => count * ulp(y) + flushed;

/** Numbers of any type as float64, broadcast to a shape. */
function spread(x: Tensor, shape: readonly number[]): Float64Array {
  const data = broadcastData(x, shape);
  return data instanceof Float64Array ? data : Float64Array.from(data as ArrayLike<number>, Number);
}

/** A rule for each element by itself, of the result y, operands x and a and b, and their errors. */
function unary<A>(bound: (y: number, x: number, error: number, attributes: A) => number): Rule<A> {
  return ({ inputs: [operand], value: { shape, data, size }, attributes }) => {
    const [x, e] = [spread(operand.value, shape), spread(operand.error, shape)];
    const errors = new Float64Array(size);
    for (let i = 0; i < size; i++) errors[i] = bound(Number(data[i]), x[i], e[i], attributes);
    return errors;
  };
}

function binary(bound: (y: number, a: number, errorA: number, b: number, errorB: number) => number): Rule {
  return ({ inputs, value: { shape, data, size } }) => {
    const [[a, ea], [b, eb]] = inputs.map(({ value, error }) => [spread(value, shape), spread(error, shape)]);
    const errors = new Float64Array(size);
    for (let i = 0; i < size; i++) errors[i] = bound(Number(data[i]), a[i], ea[i], b[i], eb[i]);
    return errors;
  };
}

/** Indices and whole numbers: exact for exact operands; for others nothing is known of them. */
const exact: Rule = ({ inputs, value }) => {
  if (inputs.some(({ error }) => (error.data as Float64Array).some((e) => e !== 0))) {
    throw new Error("No bound is known: the operands are not exact");
  }
  return new Float64Array(value.size);
};

/** Arithmetic, which is exact on whole numbers. */
const arithmetic = <A>(rule: Rule<A>): Rule<A> => (application) =>
  isFloat(application.value.dataType) ? rule(application) : (exact as Rule<A>)(application);

const elements = ({ data }: Tensor): Float64Array => data as Float64Array;

/** Errors are moved as the numbers are. */
const moved: Rule = ({ inputs, apply }) => elements(apply(inputs.map(({ error }) => error)));

/** Likewise to or from the places that an operand says. */
const movedBy = (places: number): Rule => ({ inputs, apply }) =>
  elements(apply(inputs.map(({ value, error }, i) => i === places ? value : error)));

/** The numbers themselves, or some of them negated or replaced by 0. */
const kept: Rule = unary((_y, _x, error) => error);

/** 1 where a device may compare a number with 0 wrongly, as it is nearer to 0 than its error. */
const undecided = (x: number, error: number): number => error > 0 && Math.abs(x) <= error ? 1 : 0;
const comparison = binary((_y, a, errorA, b, errorB) => undecided(a - b, errorA + errorB));

/** A correctly rounded result: exact where float32 has it, else rounded up or down as the device likes. */
function rounded(y: number, propagated: number): number {
  return propagated === 0 && Math.fround(y) === y ? 0 : propagated + ulps(1, Math.abs(y) + propagated);
}

const sum = arithmetic(binary((y, a, errorA, b, errorB) => {
  const propagated = errorA + errorB;
  return propagated === 0 ? rounded(y, 0) : propagated + ulps(2, Math.max(Math.abs(a) + errorA, Math.abs(b) + errorB));
}));

const product = arithmetic(
  binary((y, a, errorA, b, errorB) => rounded(y, Math.abs(a) * errorB + Math.abs(b) * errorA + errorA * errorB)),
);

const quotient = binary((y, _a, errorA, b, errorB) => {
  const least = Math.abs(b) - errorB;
  const propagated = least > 0 ? (errorA + Math.abs(y) * errorB) / least : Infinity;
  return propagated + ulps(2.5, Math.abs(y) + propagated);
});

/** What an operand's error does to a function that only rises or only falls: most at one end of where the operand is. */
function propagate(f: (x: number) => number, y: number, x: number, error: number): number {
  if (error === 0) return 0;
  return Math.max(Math.abs(f(x - error) - y), Math.abs(f(x + error) - y));
}

/** @param granted The error of f(x) = y for an exact x, given |x| and |y|. */
function monotonic(f: (x: number) => number, granted: (x: number, y: number) => number): Rule {
  return unary((y, x, error) => {
    const propagated = propagate(f, y, x, error);
    return propagated + granted(Math.abs(x) + error, Math.abs(y) + propagated);
  });
}

const grantedExp = (x: number, y: number): number => ulps(3 + 2 * x, y);
const grantedLog = (x: number, y: number): number => x >= 0.5 && x <= 2 ? 2 ** -21 : ulps(3, y);
/** 1 / inverseSqrt(x): 2 ulp of the one, 2.5 of the other. */
const grantedSqrt = (_x: number, y: number): number => ulps(2, y) * 2 + ulps(2.5, y);
/** Or what sinh(x) / cosh(x) gives, which is better up to 15; from there on kernels take the sign. */
const grantedTanh = (): number => 1e-5;

/** Whole powers are products, the half is the root, others are exp2(exponent · log2(x)); negative ones their inverse. */
function grantedPower(x: number, y: number, exponent: number): number {
  if (exponent < 0) return 2 * grantedPower(x, y, -exponent) + ulps(2.5, y);
  if (exponent === 0.5) return grantedSqrt(x, y);
  if (Number.isInteger(exponent) && exponent <= 8) return ulps(Math.max(0, exponent - 1), y);
  const power = exponent * Math.log2(x);
  return grantedExp(Math.abs(power), y) + y * Math.LN2 * (exponent * grantedLog(x, Math.log2(x)) + ulp(power));
}

/** 1 − tail(|x|) · e^(−x²), of which the tail is off by 1.5e-7 (Abramowitz and Stegun 7.1.26); the largest term is 1. */
const errorOfErf = unary<object>((y, x, error) => {
  const nearest = Math.max(0, Math.abs(x) - error);
  const propagated = 2 / Math.sqrt(Math.PI) * Math.exp(-nearest * nearest) * error;
  return propagated + 1.5e-7 + grantedExp(x * x, 1 - Math.abs(y)) + ulps(2, 1);
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** 1 / (1 + e^−x); e^−x overflows to infinity, whose inverse is 0. */
const errorOfSigmoid = unary<object>((y, x, error) => {
  const propagated = propagate(sigmoid, y, x, error);
  const power = Math.exp(Math.min(-x, 88));
  const divisor = grantedExp(Math.abs(x) + error, power) + ulps(2, 1 + power);
  return propagated + (y + propagated) ** 2 * divisor + ulps(2.5, y + propagated);
});

/** |x| with its error, and without it. */
const largest = ({ value, error: { data } }: Bounded): Tensor =>
  new Tensor("float64", value.shape, elements(value).map((x, i) => Math.abs(x) + (data[i] as number)));
const magnitude = ({ value }: Bounded): Tensor => new Tensor("float64", value.shape, elements(value).map(Math.abs));
const ones = ({ value: { shape, size } }: Bounded): Tensor =>
  new Tensor("float64", shape, new Float64Array(size).fill(1));

/**
 * Sums of numbers or of products.
 *
 * @param roundings How often a term of a sum is rounded at most.
 * @param sumOf The sums, with each operand replaced by what is made of it.
 */
function summed(roundings: (i: number) => number, sumOf: (make: (x: Bounded) => Tensor) => Tensor): Float64Array {
  const [most, without] = [elements(sumOf(largest)), elements(sumOf(magnitude))];
  return most.map((total, i) => {
    const propagated = Math.max(0, total - without[i]);
    return roundings(i) > 0 ? propagated + roundings(i) * unit * total + flushed : propagated;
  });
}

/** The rules by name. */
export const rules: { readonly [K in PrimitiveName]: Rule<AttributesOf<K>> } = {
  add: sum,
  sub: sum,
  mul: product,
  div: quotient,
  equal: comparison,
  greaterOrEqual: comparison,
  where: ({ inputs, value: { shape, size } }) => {
    const [condition, a, b] = inputs.map(({ value, error }) => [spread(value, shape), spread(error, shape)]);
    return Float64Array.from({ length: size }, (_, i) => {
      if (condition[1][i] > 0) return Math.abs(a[0][i] - b[0][i]) + Math.max(a[1][i], b[1][i]);
      return condition[0][i] ? a[1][i] : b[1][i];
    });
  },
  cast: (application) => {
    const { inputs: [{ value: { dataType } }], value, attributes } = application;
    if (attributes.dataType === "bool") return unary((_, x, error) => undecided(x, error))(application);
    if (value.dataType !== "float64") return exact(application);
    return isFloat(dataType) ? kept(application) : unary((y, _x, error) => rounded(y, error))(application);
  },
  neg: kept,
  abs: kept,
  relu: kept,
  sqrt: monotonic((x) => Math.sqrt(Math.max(0, x)), grantedSqrt),
  exp: monotonic(Math.exp, grantedExp),
  log: monotonic(Math.log, grantedLog),
  tanh: monotonic(Math.tanh, grantedTanh),
  erf: errorOfErf,
  sigmoid: errorOfSigmoid,
  pow: unary((y, x, error, { exponent }) => {
    if (exponent < 0 && Math.abs(x) <= error) return Infinity;
    const propagated = propagate((x) => x ** exponent, y, x, error);
    return propagated + grantedPower(Math.abs(x) + error, Math.abs(y) + propagated, exponent);
  }),
  reshape: moved,
  transpose: moved,
  expand: moved,
  concat: moved,
  slice: moved,
  pad: ({ inputs, attributes, apply }) => elements(apply([inputs[0].error], { ...attributes, value: 0 })),
  matmul: ({ inputs, apply }) => {
    const K = inputs[0].value.shape.at(-1)!;
    return summed(() => K, (make) => apply(inputs.map(make)));
  },
  reduceSum: ({ inputs, value, apply }) => {
    const terms = inputs[0].value.size / value.size;
    return summed(() => terms - 1, (make) => apply(inputs.map(make)));
  },
  cumulativeSum: arithmetic(({ inputs, apply }) => {
    const terms = elements(apply(inputs.map(ones)));
    return summed((i) => terms[i] - 1, (make) => apply(inputs.map(make)));
  }),
  scatterAdd: ({ inputs: [places, updates], apply }) => {
    const terms = elements(apply([places.value, ones(updates)]));
    return summed((i) => terms[i] - 1, (make) => apply([places.value, make(updates)]));
  },
  reduceMax: moved,
  argMax: exact,
  topK: exact,
  range: exact,
  bernoulli: exact,
  gather: movedBy(1),
  scatter: movedBy(1),
  cacheAppend: movedBy(2),
  assign: ({ inputs: [, x] }) => elements(x.error),
};
