// Asking again where that may help: after a broken connection, 429 and 5xx, no sooner than the server wishes.
import { HubError } from "../../errors/mod.ts";
import { StatusError } from "./status_error.ts";

/** How often, and after how long, something is tried again. */
export interface Patience {
  /** Tries in all without anything new. @default 5 */
  readonly tries?: number;
  /** Milliseconds before the second try; each further wait is twice as long. @default 500 */
  readonly wait?: number;
  /** The longest wait, in milliseconds, also where the server wishes a longer one. @default 60000 */
  readonly longestWait?: number;
}

/**
 * Try until something succeeds, fails for good, or has failed too often.
 *
 * @param options Who ends the waiting, and how patient we are.
 * @param attempt What is tried.
 * @param progressed Whether the last try brought something new, so that the count begins again.
 * @throws What the last try threw.
 */
export async function retrying<T>(
  options: { readonly signal?: AbortSignal; readonly patience?: Patience },
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  const { tries = 5, wait = 500, longestWait = 60_000 } = options.patience ?? {};
  for (let failures = 1;; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (progressed()) failures = 1;
      if (options.signal?.aborted || !mayPass(error)) throw error;
      if (failures >= tries) throw tiredOf(error, failures);
      const wished = error.cause instanceof StatusError ? wishedWait(error.cause.headers) : undefined;
      if (wished !== undefined && wished > longestWait) throw tooBusy(error, wished);
      // Spread, so that those who failed together do not come back together.
      const ours = Math.min(longestWait, wait * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
      await sleep(wished ?? ours, options.signal);
    }
  }
}

/** Whether an error may be gone the next time. */
function mayPass(error: unknown): error is HubError {
  if (!(error instanceof HubError) || error.code !== "network") return false;
  if (error.cause instanceof StatusError) {
    return [408, 425, 429].includes(error.cause.status) || error.cause.status >= 500;
  }
  // What was tried often enough will not be there the next time, nor a host that does not
  // exist or listen, nor a permission.
  const { cause } = error;
  return cause !== undefined && !(cause instanceof HubError || cause instanceof Deno.errors.NotCapable) &&
    !/dns error|ENOTFOUND|Connection refused|ECONNREFUSED/.test(error.message);
}

/**
 * The milliseconds that a server wishes us to wait. A date is compared with the server's own, for our clock may be wrong.
 */
function wishedWait(headers: Headers): number | undefined {
  const wish = headers.get("retry-after");
  if (wish === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(wish)) return 1000 * Number(wish);
  const now = Date.parse(headers.get("date") ?? "") || Date.now();
  const then = Date.parse(wish);
  return Number.isNaN(then) ? undefined : Math.max(0, then - now);
}

function tiredOf(error: HubError, failures: number): HubError {
  const message = failures === 1 ? error.message : `${error.message}; it was tried ${failures} times`;
  return new HubError(message, { cause: error, code: error.code });
}

function tooBusy(error: HubError, wished: number): HubError {
  const message = `${error.message}, and asks to wait for ${Math.ceil(wished / 1000)} s`;
  return new HubError(message, { cause: error, code: error.code });
}

/** Wait, unless a signal comes first. */
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
