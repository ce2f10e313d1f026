// The elementwise kernels. Numbers are computed in float64 and stored in the output's type.
import type { AttributesOf, elementwise } from "../../src/operators/mod.ts";
import { toBfloat16, toFloat32 } from "../../src/tensor/mod.ts";
import { allocateOutput, broadcastData, type Kernel } from "./kernel.ts";

type Name = keyof typeof elementwise;

// deno-lint-ignore no-explicit-any -- bigint and number share these operators, but no type
type Scalar = any;

function binary(f: (a: Scalar, b: Scalar) => Scalar): Kernel<object> {
  return ([a, b], _, context) => {
    const y = allocateOutput(context);
    const x = broadcastData(a, y.shape);
    const z = broadcastData(b, y.shape);
    for (let i = 0; i < y.size; i++) y.data[i] = f(x[i], z[i]) as never;
    return [y];
  };
}

function unary(f: (x: number) => number): Kernel<object> {
  return ([x], _, context) => {
    const y = allocateOutput(context);
    for (let i = 0; i < y.size; i++) y.data[i] = f(x.data[i] as number) as never;
    return [y];
  };
}

/**
 * The error function to float64's precision: its Taylor series near 0, the continued fraction of erfc far from it
 * (Abramowitz and Stegun 7.1.5 and 7.1.14).
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

/** The kernels by name. */
export const elementwiseKernels: { [K in Name]: Kernel<AttributesOf<K>> } = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  equal: binary((a, b) => a === b ? 1 : 0),
  greaterOrEqual: binary((a, b) => a >= b ? 1 : 0),
  sqrt: unary(Math.sqrt),
  exp: unary(Math.exp),
  log: unary(Math.log),
  tanh: unary(Math.tanh),
  erf: unary(erf),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  relu: unary((x) => x > 0 ? x : x === x ? 0 : x),
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  pow: (inputs, { exponent }, context) => unary((x) => x ** exponent)(inputs, {}, context),
  where: ([condition, a, b], _, context) => {
    const y = allocateOutput(context);
    const [test, x, z] = [condition, a, b].map((input) => broadcastData(input, y.shape));
    for (let i = 0; i < y.size; i++) y.data[i] = (test[i] ? x[i] : z[i]) as never;
    return [y];
  },
  cast: ([x], { dataType }, context) => {
    const y = allocateOutput(context);
    const convert: (value: Scalar) => Scalar = dataType === "bool"
      ? (value) => value == 0 ? 0 : 1
      : dataType === "int64"
      ? (value) => BigInt(Math.trunc(Number(value)))
      : dataType === "bfloat16"
      ? (value) => toBfloat16(Number(value))
      : Number;
    const from = x.dataType === "bfloat16" ? toFloat32("bfloat16", x.data) : x.data;
    for (let i = 0; i < y.size; i++) y.data[i] = convert(from[i]) as never;
    return [y];
  },
};
