// A request from its arrival to the end of its answer: how long it may take, and what is noted of it.
import { clientGone, HttpError } from "./http_error.ts";
import type { ServedCaption } from "./captioning.ts";
import type { RequestLog } from "./serve_options.ts";

/** A request under way. */
export class ServedRequest implements Disposable {
  readonly id: string = crypto.randomUUID();
  readonly began: number = performance.now();
  /** The address's path; empty where the address is not valid, such as with a Host header that is no host. */
  readonly path: string;
  /** Ends with the client, and when its time is over. */
  readonly signal: AbortSignal;
  /** The path as metrics have it: of those there are. */
  route = "other";
  status = 0;
  /** Settles at the end of its answer, where that goes on after its headers. */
  ended: Promise<void> | undefined;
  tokens: number | undefined;
  /** How its text came, where that is noted. */
  details: Pick<ServedCaption, "times" | "margin"> | undefined;
  #failure: HttpError | undefined;
  #fault: unknown;
  readonly #stop = new AbortController();
  readonly #left = Promise.withResolvers<void>();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #gone = () => this.#stop.abort(new HttpError(clientGone, "client_gone", "The client has gone"));

  constructor(readonly request: Request, timeout: number) {
    this.path = URL.parse(request.url)?.pathname ?? "";
    this.signal = this.#stop.signal;
    request.signal.addEventListener("abort", this.#gone);
    if (request.signal.aborted) this.#gone();
    this.#timer = setTimeout(() => {
      this.#stop.abort(new HttpError(408, "timeout", `The request was not answered within ${timeout} ms`));
    }, timeout);
  }

  /** Settles when it is answered to its end. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  /** How long it took so far. */
  get milliseconds(): number {
    return performance.now() - this.began;
  }

  /** Headers that every answer has. */
  get headers(): Record<string, string> {
    return { "x-request-id": this.id, "x-content-type-options": "nosniff" };
  }

  /** Give it up: nobody reads its answer. */
  readonly abandon = (): void => this.#gone();

  /** Its answer's headers are there: from now on the answer's body tells when the client goes. */
  answered(status: number): void {
    this.status = status;
    // Without --unstable-no-legacy-abort Deno also aborts the signal of a request that was answered well.
    this.request.signal.removeEventListener("abort", this.#gone);
  }

  /** Note that it failed. @param fault What was thrown. */
  fail(failure: HttpError, fault: unknown): void {
    this.#failure = failure;
    if (failure.status >= 500) this.#fault = fault;
  }

  /** What is noted of it. */
  log(): RequestLog {
    const { id, path, status, tokens } = this;
    const fault = this.#fault;
    return {
      ...{ time: new Date().toISOString(), id, method: this.request.method, path: path.slice(0, 256), status },
      milliseconds: Math.round(this.milliseconds * 100) / 100,
      ...(tokens !== undefined && { tokens }),
      ...(this.details && detailsOf(this.details)),
      ...(this.#failure && { code: this.#failure.code }),
      ...(fault !== undefined && !(fault instanceof HttpError) && { fault: String(fault).slice(0, 1000) }),
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#left.resolve();
  }
}

/** Scores that are nearer than this may be in another order where kernels for another number of rows round differently. */
const nearScores = 1e-4;

function detailsOf({ times, margin }: Pick<ServedCaption, "times" | "margin">): Pick<RequestLog, "parts" | "nearTie"> {
  const parts = Object.fromEntries(Object.entries(times).map(([part, time]) => [part, Math.round(time * 100) / 100]));
  return { parts, ...(margin !== undefined && { nearTie: margin < nearScores }) };
}
