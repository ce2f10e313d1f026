// Timers for the way to a first text. The first setTimeout of a process makes Deno load Node's timers, which takes 10 to 20 ms
// of processor time; the timer of a signal takes less than one.

/** Whether setTimeout is the dear one; elsewhere a signal's timer may not keep a process alive. */
const isDeno = globalThis.navigator?.userAgent?.startsWith("Deno/") ?? false;

/**
 * Call a function later.
 *
 * @param milliseconds How much later, at least.
 * @returns What calls it off; it may be called when it is too late.
 */
export function callLater(milliseconds: number, call: () => void): () => void {
  if (!isDeno) {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  }
  const signal = AbortSignal.timeout(milliseconds);
  // An aborted signal sends no event; one of no time may be aborted at once.
  if (signal.aborted) queueMicrotask(call);
  else signal.addEventListener("abort", call, { once: true });
  return () => signal.removeEventListener("abort", call);
}

/** Let the event loop take a turn: other callers and what has ended meanwhile. */
export function takeTurn(): Promise<void> {
  return new Promise((resolve) => void callLater(0, resolve));
}

/** Wait until work has ended, well or not, but no longer than some milliseconds. */
export async function whileShort(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = callLater(milliseconds, resolve);
  work.then(() => resolve(), () => resolve());
  await promise;
  cancel();
}
