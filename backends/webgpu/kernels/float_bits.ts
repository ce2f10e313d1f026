// Functions of numbers that give the same results on every device, also for NaN and infinities. WGSL lets a device assume that
// there are none wherever it computes with floating-point numbers, even where it compares them, and round as it likes: so
// these look at the bits of a number, as whole numbers. The others (sums, products, exponentials) are the device's own.
import type { Shader } from "./shader.ts";

/** The bits of infinity, as a whole number: those of NaN without its sign are above. */
const infinity = 0x7f800000;

/** The condition that a number, or each of four, is below 0 or -0: NaN is not. */
export function isNegative(x: string, type: "f32" | "vec4f"): string {
  const whole = type === "f32" ? "i32" : "vec4<i32>";
  // With the sign set, bits as whole numbers go up from -0 to -infinity, and then come those of NaN.
  return `bitcast<${whole}>(${x}) <= ${whole}(${0xff800000 | 0})`;
}

/** The condition that a number is not 0: NaN is not. */
export function isNotZero(x: string): string {
  return `(bitcast<u32>(${x}) & 0x7fffffffu) != 0u`;
}

/** The condition that a number is NaN. */
export function isNotANumber(x: string): string {
  return `(bitcast<u32>(${x}) & 0x7fffffffu) > ${infinity}u`;
}

/** Declare a whole number for each number, in their order (0 and -0 have one; NaN is beyond infinity), and return its name. */
export function declareOrder(shader: Shader): string {
  shader.declare(`fn order(x: f32) -> i32 {
  let bits = bitcast<i32>(x);
  return select(bits, bitcast<i32>(0x80000000u) - bits, bits < 0);
}`);
  return "order";
}

/** The condition that two numbers are equal or in order: false where one is NaN. */
export function compare(shader: Shader, operator: "==" | ">=", a: string, b: string): string {
  const order = declareOrder(shader);
  const name = operator === "==" ? "equals" : "at_least";
  shader.declare(`fn ${name}(a: f32, b: f32) -> bool {
  let x = ${order}(a);
  let y = ${order}(b);
  return x ${operator} y && x <= ${infinity} && y >= ${-infinity};
}`);
  return `${name}(${a}, ${b})`;
}

/** The rank of a number as a whole number: larger ones have a higher rank, NaN the highest. */
export function rank(shader: Shader, x: string): string {
  const order = declareOrder(shader);
  shader.declare(`fn rank(x: f32) -> i32 {
  let place = ${order}(x);
  return select(place, 0x7fffffff, place < ${-infinity});
}`);
  return `rank(${x})`;
}

/** A number rounded to the nearest float16, ties to even; NaN stays, and what is too large is infinite. */
export function toFloat16(shader: Shader, x: string): string {
  shader.declare(`fn to_float16(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let sign = bits & 0x80000000u;
  let size = bits & 0x7fffffffu;
  if (size > ${infinity}u) { return x; }
  // From halfway between the largest float16 and the number after it.
  if (size >= 0x477ff000u) { return bitcast<f32>(sign | ${infinity}u); }
  // Up to half of the smallest float16, 2^-24.
  if (size <= 0x33000000u) { return bitcast<f32>(sign); }
  // float16 has 13 bits less, and below 2^-14 one less with each power of two.
  let lost = min(13u + max(113u, size >> 23u) - (size >> 23u), 24u);
  let odd = (size >> lost) & 1u;
  // Below 2^-24 all are nearer to it than to 0.
  let rounded = select((size + (1u << (lost - 1u)) - 1u + odd) & ~((1u << lost) - 1u), 0x33800000u, lost == 24u);
  return bitcast<f32>(sign | rounded);
}`);
  return `to_float16(${x})`;
}

/** A number rounded to the nearest bfloat16, ties to even; NaN stays. */
export function toBfloat16(shader: Shader, x: string): string {
  shader.declare(`fn to_bfloat16(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let rounded = bits + 0x7fffu + ((bits >> 16u) & 1u);
  return bitcast<f32>(select(rounded, bits | 0x400000u, (bits & 0x7fffffffu) > ${infinity}u) & 0xffff0000u);
}`);
  return `to_bfloat16(${x})`;
}

/** The 16 bits of a number that is a float16. */
export function bitsOfFloat16(shader: Shader, x: string): string {
  shader.declare(`fn bits_of_float16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > ${infinity}u) { return sign | 0x7e00u; }
  if (size == ${infinity}u) { return sign | 0x7c00u; }
  if (size >= 0x38800000u) { return sign | ((size - 0x38000000u) >> 13u); }
  // Below 2^-14: multiples of 2^-24.
  return sign | u32(bitcast<f32>(size) * 16777216.0);
}`);
  return `bits_of_float16(${x})`;
}

/** The number that 16 bits are. */
export function float16OfBits(shader: Shader, bits: string): string {
  shader.declare(`fn float16_of_bits(bits: u32) -> f32 {
  let sign = (bits & 0x8000u) << 16u;
  let size = bits & 0x7fffu;
  if (size >= 0x7c00u) { return bitcast<f32>(sign | ((size << 13u) + 0x70000000u)); }
  if (size >= 0x400u) { return bitcast<f32>(sign | ((size << 13u) + 0x38000000u)); }
  return bitcast<f32>(sign | bitcast<u32>(f32(size) * bitcast<f32>(0x33800000u)));
}`);
  return `float16_of_bits(${bits})`;
}
