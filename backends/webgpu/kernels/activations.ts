// The activations and the functions that they need, in WGSL, for f32 and for vectors of four.
import type { Activation } from "../../../src/operators/mod.ts";
import { isNegative } from "./float_bits.ts";
import type { Shader } from "./shader.ts";

/** The floating-point types kernels compute in. */
export type FloatType = "f32" | "vec4f";

/**
 * Declare erf and return its name: the Taylor series to x¹¹ below ¾, Abramowitz and Stegun 7.1.26 above; the largest
 * error is 2e-7.
 */
export function declareErf(shader: Shader, type: FloatType): string {
  const name = `erf_${type}`;
  const bool = type === "f32" ? "a < 0.75" : "a < vec4f(0.75)";
  shader.declare(`fn ${name}(x: ${type}) -> ${type} {
  let a = abs(x);
  let s = x * x;
  let near = x * 1.1283791671 * (1.0 - s * (0.3333333333 - s * (0.1 - s * (0.0238095238 - s * (0.00462962963 -
    s * (0.000757575758 - s * 0.000106837607))))));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let far = sign(x) * (1.0 - tail * exp(-min(s, ${type}(80.0))));
  return select(far, near, ${bool});
}`);
  return name;
}

/** Declare tanh for any x (the built-in one overflows, a clamp loses NaN) and return its name. */
function declareTanh(shader: Shader, type: FloatType): string {
  const name = `tanh_${type}`;
  shader.declare(
    `fn ${name}(x: ${type}) -> ${type} { return select(tanh(x), sign(x), abs(x) > ${type}(15.0)); }`,
  );
  return name;
}

/** The expression of 1 / (1 + e^−x). */
export function sigmoid(x: string): string {
  return `(1.0 / (1.0 + exp(-${x})))`;
}

/** Declare an activation and return its name. */
export function declareActivation(shader: Shader, activation: Activation, type: FloatType): string {
  const bodies: Record<Activation, () => string> = {
    relu: () => `select(x, ${type}(0.0), ${isNegative("x", type)})`,
    gelu: () => `0.5 * x * (1.0 + ${declareErf(shader, type)}(x * 0.7071067812))`,
    geluTanh: () => `0.5 * x * (1.0 + ${declareTanh(shader, type)}(0.7978845608 * (x + 0.044715 * x * x * x)))`,
    geluQuick: () => `x * ${sigmoid("(1.702 * x)")}`,
    silu: () => `x * ${sigmoid("x")}`,
    tanh: () => `${declareTanh(shader, type)}(x)`,
    sigmoid: () => sigmoid("x"),
  };
  const body = bodies[activation]();
  const name = `activate_${activation}_${type}`;
  shader.declare(`fn ${name}(x: ${type}) -> ${type} { return ${body}; }`);
  return name;
}
