// What V8 and libraries fail with when they are asked for too much, as errors of Limner's that name the input. Budgets
// (src/limits) refuse what can be foreseen; this is the net below them, put where users call.
import { LimnerError } from "./mod.ts";

/** What V8's RangeErrors say of what cannot be had; those of users' callbacks say something else. */
const exhausted =
  /^(?:Invalid (?:typed )?array length|Invalid array buffer length|Array buffer allocation failed|Invalid string length|Invalid DataView length|Maximum call stack size exceeded|(?:Map|Set) maximum size exceeded|Maximum BigInt size exceeded|offset is out of bounds|Start offset \S+ is outside the bounds|WebAssembly\.)/;

/** Whether an error is V8's or WebAssembly's own for what cannot be had: a stack, an allocation, a length, memory out of bounds. */
function isExhaustion(error: unknown): error is Error {
  const kind = (error as Error | null | undefined)?.constructor;
  return kind === WebAssembly.RuntimeError || kind === RangeError && exhausted.test((error as Error).message);
}

/**
 * Do something, so that where V8 or a library cannot, the error says of what.
 *
 * @param task Says what cannot be done then, with the input's name, such as `Cannot load org/model`.
 * @param work What is done; it may give a promise.
 * @throws {LimnerError} In place of such a RangeError of V8's and of WebAssembly's RuntimeError, which is its cause; whatever else is
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
