// How near a tensor is to a golden: the largest difference over the golden's largest value.
import { AssertionError } from "@std/assert";
import type { Tensor } from "../../src/tensor/mod.ts";

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

/** Assert that shapes are equal and values differ by at most `tolerance` times the largest expected value. */
export function assertClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  // Scalars are stored as [1] in the goldens that NumPy wrote.
  const isScalar = actual.shape.length === 0 && expected.shape.join() === "1";
  if (!isScalar && actual.shape.join() !== expected.shape.join()) {
    throw new AssertionError(`${what} has the shape [${actual.shape}], expected [${expected.shape}]`);
  }
  const error = relativeError(actual, expected);
  if (!(error <= tolerance)) {
    throw new AssertionError(
      `${what} is off by ${error.toExponential(2)} of the largest value, allowed is ${tolerance}`,
    );
  }
}
