// What V8 and libraries fail with when they are asked for too much, as errors of Limner's that name the input. Budgets
// (src/limits) refuse what can be foreseen; this is the net below them, put where users call.
import { LimnerError } from "./mod.ts";

/**
 * Whether an error is V8's or WebAssembly's own for what cannot be had: a stack, an allocation, an array or text of that
 * length, memory out of bounds. A subclass is not: somebody threw it on purpose.
 */
function isExhaustion(error: unknown): error is Error {
  const kind = (error as Error | null | undefined)?.constructor;
  return kind === RangeError || kind === WebAssembly.RuntimeError;
}

/**
 * Do something, so that where V8 or a library cannot, the error says of what.
 *
 * @param task Says what cannot be done then, with the input's name, such as `Cannot load org/model`.
 * @param work What is done; it may give a promise.
 * @throws {LimnerError} In place of V8's RangeError and WebAssembly's RuntimeError, which is its cause; whatever else is
 * thrown stays as it is.
 */
export function explained<T>(task: () => string, work: () => T): T {
  const fail = (error: unknown): never => {
    if (!isExhaustion(error)) throw error;
    throw new LimnerError(`${task()}: what it asks for cannot be had: ${error.message}`, { cause: error });
  };
  try {
    const result = work();
    return result instanceof Promise ? result.catch(fail) as T : result;
  } catch (error) {
    return fail(error);
  }
}
