// Time limits of a transfer. One is never ended for being large, only for being slow.

/** Limits of time, in milliseconds, for whatever is fetched. */
export interface Timeouts {
  /** From the request, name lookup and connecting included, to the answer's headers. @default 30000 */
  readonly answer?: number;
  /** Between two chunks of a body. @default 60000 */
  readonly stall?: number;
  /** For a body as a whole if it is small, and for each 16 MiB of a larger one. @default 600000 */
  readonly total?: number;
}

const defaults: Required<Timeouts> = { answer: 30_000, stall: 60_000, total: 600_000 };

/** The bytes that must arrive within `total`. */
const bytesPerTotal = 16 << 20;

/** A transfer; its signal is aborted with the caller's, or when a time limit is reached. */
export class Transfer implements Disposable {
  /** The bytes of the body that have arrived. */
  bytes = 0;
  readonly signal: AbortSignal;
  readonly #limits: Required<Timeouts>;
  readonly #late = new AbortController();
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #whole: ReturnType<typeof setTimeout> | undefined;

  /**
   * Begin to wait for an answer.
   *
   * @param timeouts The limits; one that is left out has its default.
   * @param signal The caller's.
   */
  constructor(timeouts: Timeouts = {}, signal?: AbortSignal) {
    const given = Object.entries(timeouts).filter(([, value]) => value !== undefined);
    this.#limits = { ...defaults, ...Object.fromEntries(given) };
    this.signal = signal ? AbortSignal.any([signal, this.#late.signal]) : this.#late.signal;
    this.#wait(this.#limits.answer, "no answer came for");
  }

  /** Note that the headers have arrived; the body is waited for next. */
  answered(): void {
    this.#wait(this.#limits.stall, "nothing came for");
    this.#restart();
  }

  /** Note that bytes of the body have arrived. */
  count(bytes: number): void {
    const before = Math.floor(this.bytes / bytesPerTotal);
    this.bytes += bytes;
    this.#wait(this.#limits.stall, "nothing came for");
    if (Math.floor(this.bytes / bytesPerTotal) > before) this.#restart();
  }

  #wait(milliseconds: number, what: string): void {
    clearTimeout(this.#waiting);
    this.#waiting = this.#after(milliseconds, what);
  }

  #restart(): void {
    clearTimeout(this.#whole);
    this.#whole = this.#after(this.#limits.total, "the body was not there after");
  }

  #after(milliseconds: number, what: string): ReturnType<typeof setTimeout> | undefined {
    if (milliseconds === Infinity) return undefined;
    return setTimeout(() => this.#late.abort(new Error(`${what} ${milliseconds / 1000} s`)), milliseconds);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#waiting);
    clearTimeout(this.#whole);
  }
}
