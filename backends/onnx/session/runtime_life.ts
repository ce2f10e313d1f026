// The life of a runtime: the work of all streams, one piece at a time, and an end that waits for what is under way and for what
// is not yet released.
import { type Lane, type LaneOptions, WorkQueue } from "../../../src/async/work_queue.ts";
import { BackendError } from "../../../src/errors/mod.ts";
import { type BackendName, newCounters } from "../../../src/graph/mod.ts";

/** A runtime, until it is closed. */
export abstract class RuntimeLife {
  readonly counters = newCounters();
  /** The work of all streams. */
  readonly work = new WorkQueue();
  #closed = false;
  /** Whether it is closed, and what was under way then has ended. */
  #ends = false;
  #finished = false;

  /** The backend that it is the runtime of. */
  abstract readonly name: BackendName;

  /** Ends when the runtime has started, or has failed to. */
  protected get started(): Promise<void> {
    return Promise.resolve();
  }

  /** Give back what remains, after everything that was made with the runtime was released. */
  protected abstract finish(): void;

  /** A stream's work, in its order. */
  lane(options: LaneOptions): Lane {
    this.checkOpen();
    return this.work.lane(options);
  }

  /** Release an object that was counted, once the work that is queued now has ended. */
  release(free: () => void): void {
    this.work.afterwards(() => {
      free();
      this.counters.liveHandles--;
      this.#end();
    });
  }

  /** Take no more work, and finish once nothing is under way and everything made with the runtime is released. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.started;
    await this.work.settled(() => {});
    this.#ends = true;
    this.#end();
  }

  /** @throws {BackendError} If the backend was closed. */
  checkOpen(): void {
    if (this.#closed) throw new BackendError(`Cannot use the ${this.name} backend: it was closed`, this.name);
  }

  #end(): void {
    if (!this.#ends || this.#finished || !this.work.isIdle || this.counters.liveHandles > 0) return;
    this.#finished = true;
    this.finish();
  }
}
