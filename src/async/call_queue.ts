// Calls on one model, one after another in the order they came. Whoever waits can leave; whoever is slow can be told that
// others wait.
import { abortable } from "./abortable.ts";
import { LimnerError } from "../errors/mod.ts";

/** A queue of calls. */
export class CallQueue {
  /** The last call; the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Resolves for the call under way when another waits. */
  #wanted: PromiseWithResolvers<void> = Promise.withResolvers();
  #closed = false;

  /**
   * Run a call when the ones before it have ended, well or not.
   *
   * @param call Is given what resolves when another call waits.
   * @param signal Ends the wait, and the call with it.
   * @throws {LimnerError} If the queue was closed.
   */
  async take<T>(call: (wanted: Promise<void>) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) throw new LimnerError("Cannot use the model: it was released");
    signal?.throwIfAborted();
    this.#want();
    const begun = this.#last.then(() => {
      this.#wanted = Promise.withResolvers();
      if (--this.#waiting > 0) this.#wanted.resolve();
    });
    const ended = begun.then(() => {
      signal?.throwIfAborted();
      return call(this.#wanted.promise);
    });
    this.#last = ended.catch(() => {});
    await abortable(begun, signal);
    return await ended;
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
}
