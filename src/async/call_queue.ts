// Calls on one model, executed one after another in the order they came. A call that waits can be aborted; the call that
// runs can find out that another one waits.
import { abortable } from "./abortable.ts";
import { LimnerError } from "../errors/mod.ts";

/** A queue of calls. */
export class CallQueue {
  /** The last call; the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Its promise resolves when another call waits for the running one. */
  #wanted: PromiseWithResolvers<void> = Promise.withResolvers();
  #closed = false;

  /**
   * Run a call when the earlier ones have ended, whether they succeeded or failed.
   *
   * @param call Gets a promise that resolves when another call waits.
   * @param signal Ends the wait, and the call with it.
   * @throws {LimnerError} If the queue was closed.
   */
  async take<T>(call: (wanted: Promise<void>) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) throw new LimnerError("Cannot use the model: it was released");
    signal?.throwIfAborted();
    this.#want();
    const begun = this.#last.then(() => this.#begin());
    const ended = begun.then(() => {
      signal?.throwIfAborted();
      return call(this.#wanted.promise);
    });
    this.#last = ended.catch(() => {});
    await abortable(begun, signal);
    return await ended;
  }

  /** Wait for the calls that were taken, of a closed queue too. */
  async settled(): Promise<void> {
    this.#want();
    this.#last = this.#last.then(() => this.#begin());
    await this.#last;
  }

  /** Take no more calls, and wait for those that were taken. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#want();
    await this.#last;
  }

  #want(): void {
    this.#waiting++;
    this.#wanted.resolve();
  }

  #begin(): void {
    this.#wanted = Promise.withResolvers();
    if (--this.#waiting > 0) this.#wanted.resolve();
  }
}
