// Waiting for a promise until a signal aborts the wait, like `abortable` of @std/async. The work itself goes on.

/**
 * Wait for work, or throw the signal's reason as soon as it is aborted.
 *
 * @throws The signal's reason, or what the work throws.
 */
export async function abortable<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
