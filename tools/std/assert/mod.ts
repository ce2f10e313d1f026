// The handful of @std/assert functions the tests use, thin over node:assert, for machines that cannot reach JSR.
// Names and signatures are those of jsr:@std/assert; remove "links" from deno.json to get the real package.
import nodeAssert from "node:assert";

/** The error that a failed assertion throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

function rethrow(run: () => void, msg?: string): void {
  try {
    run();
  } catch (error) {
    throw new AssertionError(msg ? `${msg}: ${(error as Error).message}` : (error as Error).message);
  }
}

/** Assert that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg || "Expected a truthy value");
}

/** Assert that two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  rethrow(() => nodeAssert.deepStrictEqual(actual, expected), msg);
}

/** Assert that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  rethrow(() => nodeAssert.notDeepStrictEqual(actual, expected), msg);
}

/** Assert that two values are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    throw new AssertionError(msg ?? `Expected ${String(actual)} to be ${String(expected)}`);
  }
}

/** Assert that a value is neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) throw new AssertionError(msg ?? `Expected a value, got ${actual}`);
}

/** Assert that `actual` is an instance of `expectedType`. */
// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    throw new AssertionError(
      msg || `Expected an instance of ${expectedType.name}, got ${Object.prototype.toString.call(actual)}`,
    );
  }
}

/** Assert that `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(msg ?? `Expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`);
  }
}

/** Assert that `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) {
    throw new AssertionError(msg ?? `Expected ${JSON.stringify(actual)} to match ${expected}`);
  }
}

/** Assert that two numbers differ by at most `tolerance`. */
export function assertAlmostEquals(actual: number, expected: number, tolerance = 1e-7, msg?: string): void {
  if (Object.is(actual, expected) || Math.abs(expected - actual) <= tolerance) return;
  throw new AssertionError(msg ?? `Expected ${actual} to be within ${tolerance} of ${expected}`);
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function checkError<E extends Error>(error: unknown, ErrorClass?: ErrorClass<E>, msgIncludes?: string): E {
  if (!(error instanceof Error)) throw new AssertionError("A non-Error object was thrown or rejected");
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(`Expected a ${ErrorClass.name}, got ${error.constructor.name}: ${error.message}`);
  }
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes);
  return error as E;
}

/** Assert that `fn` throws, and return the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes);
  }
  throw new AssertionError(msg ?? "Expected function to throw");
}

/** Assert that the promise of `fn` rejects, and return the error. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes);
  }
  throw new AssertionError(msg ?? "Expected function to reject");
}

/** Make an assertion fail unconditionally. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${msg ? `: ${msg}` : "."}`);
}
