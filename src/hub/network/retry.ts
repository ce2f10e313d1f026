// Retrying requests where that may help: after a broken connection, 429 and 5xx, and no sooner than Retry-After asks.
import { HubError } from "../../errors/mod.ts";
import { StatusError } from "./status_error.ts";

/** How often, and after which waits, a request is retried. */
export interface RetryPolicy {
  /** The most attempts without progress. @default 5 */
  readonly tries?: number;
  /** Milliseconds before the second attempt; each further wait is twice as long. @default 500 */
  readonly wait?: number;
  /** The longest wait, in milliseconds, also if the server asks for a longer one. @default 60000 */
  readonly longestWait?: number;
}

/**
 * Attempt something until it succeeds, fails for good, or has failed too often.
 *
 * @param options A signal that ends the waiting, and how often to retry.
 * @param attempt What is attempted.
 * @param progressed Whether the last attempt made progress, so that the count begins again.
 * @throws What the last attempt threw.
 */
export async function withRetries<T>(
  options: { readonly signal?: AbortSignal; readonly retryPolicy?: RetryPolicy },
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  const { tries = 5, wait = 500, longestWait = 60_000 } = options.retryPolicy ?? {};
  for (let failures = 1;; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (progressed()) failures = 1;
      if (options.signal?.aborted || !isTransient(error)) throw error;
      if (failures >= tries) throw gaveUp(error, failures);
      const wished = error.cause instanceof StatusError ? retryAfter(error.cause.headers) : undefined;
      if (wished !== undefined && wished > longestWait) throw waitTooLong(error, wished);
      // Random, so that clients that failed together do not retry together.
      const ours = Math.min(longestWait, wait * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
      await sleep(wished ?? ours, options.signal);
    }
  }
}

/** Whether the next attempt may succeed. */
function isTransient(error: unknown): error is HubError {
  if (!(error instanceof HubError) || error.code !== "network") return false;
  if (error.cause instanceof StatusError) {
    return [408, 425, 429].includes(error.cause.status) || error.cause.status >= 500;
  }
  // Not after retries that were given up, for a host that does not exist or listen, or without a permission.
  const { cause } = error;
  return cause !== undefined && !(cause instanceof HubError || cause instanceof Deno.errors.NotCapable) &&
    !/dns error|ENOTFOUND|Connection refused|ECONNREFUSED/.test(error.message);
}

/**
 * The milliseconds that Retry-After asks to wait. A date is compared with the server's Date, since the local clock may be wrong.
 */
function retryAfter(headers: Headers): number | undefined {
  const wish = headers.get("retry-after");
  if (wish === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(wish)) return 1000 * Number(wish);
  const now = Date.parse(headers.get("date") ?? "") || Date.now();
  const then = Date.parse(wish);
  return Number.isNaN(then) ? undefined : Math.max(0, then - now);
}

function gaveUp(error: HubError, failures: number): HubError {
  const message = failures === 1 ? error.message : `${error.message}; it was tried ${failures} times`;
  return new HubError(message, { cause: error, code: error.code });
}

function waitTooLong(error: HubError, wished: number): HubError {
  const message = `${error.message}, and asks to wait for ${Math.ceil(wished / 1000)} s`;
  return new HubError(message, { cause: error, code: error.code });
}

/** Wait, unless the signal is aborted first. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(signal!.reason);
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", stop);
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  });
}
