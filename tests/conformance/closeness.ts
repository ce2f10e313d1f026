// How near a tensor is to a golden. An operator's result is held against a bound for each element (bounds.ts); a whole
// model's by the largest difference over the golden's largest value.
import { AssertionError } from "@std/assert";
import type { Tensor } from "../../src/tensor/mod.ts";
import { type Bounded, ulp } from "./bounds.ts";

/** Values below this are what rounding left of a true zero, in the golden as in the result. */
const roundingOfZero = 1e-8;

/** The largest difference, relative to the largest finite expected value; Infinity where only one is not finite. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.size; i++) {
    const [a, e] = [Number(actual.data[i]), Number(expected.data[i])];
    if (Number.isFinite(e)) largest = Math.max(largest, Math.abs(e));
    if (Object.is(a, e) || a === e) continue;
    difference = Math.max(difference, Number.isNaN(a) || Number.isNaN(e) ? Infinity : Math.abs(a - e));
  }
  return largest < roundingOfZero && difference < roundingOfZero ? 0 : difference / largest;
}

function assertShape(actual: Tensor, expected: Tensor, what: string): void {
  // Scalars are stored as [1] in the goldens that NumPy wrote.
  const isScalar = actual.shape.length === 0 && expected.shape.join() === "1";
  if (!isScalar && actual.shape.join() !== expected.shape.join()) {
    throw new AssertionError(`${what} has the shape [${actual.shape}], expected [${expected.shape}]`);
  }
}

/** Assert that shapes are equal and values differ by at most `tolerance` times the largest expected value. */
export function assertClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  assertShape(actual, expected, what);
  const error = relativeError(actual, expected);
  if (!(error <= tolerance)) {
    throw new AssertionError(
      `${what} is off by ${error.toExponential(2)} of the largest value, allowed is ${tolerance}`,
    );
  }
}

/** The largest finite number, without its sign. */
function largestOf({ data }: Tensor): number {
  let largest = 0;
  for (const x of data) if (Number.isFinite(Number(x))) largest = Math.max(largest, Math.abs(Number(x)));
  return largest;
}

/**
 * Assert that shapes are equal and each element is within its bound, equal where the bound is 0.
 *
 * @param expected The exact numbers, as float64; or rounded to float32, where that adds half an ulp.
 * @param ceiling What no bound exceeds, relative to the largest expected value: bounds assume the worst, so those of long
 * sums would hide a kernel that is wrong.
 */
export function assertWithin(actual: Tensor, expected: Bounded, ceiling: number, what: string): void {
  const { value, error } = expected;
  assertShape(actual, value, what);
  const largest = largestOf(value);
  const most = largest < roundingOfZero ? roundingOfZero : ceiling * largest;
  for (let i = 0; i < value.size; i++) {
    const [a, e, bound] = [Number(actual.data[i]), Number(value.data[i]), error.data[i] as number];
    if (Object.is(a, e) || a === e) continue;
    const allowed = bound === 0 ? 0 : Math.min(most, bound + (value.dataType === "float32" ? ulp(e) / 2 : 0));
    if (Math.abs(a - e) <= allowed) continue;
    const off = `${Math.abs(a - e).toExponential(2)}, allowed is ${allowed.toExponential(2)}`;
    throw new AssertionError(`${what} is ${a} at ${i}, expected ${e}: it is off by ${off}`);
  }
}
