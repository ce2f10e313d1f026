// Work of several callers on one device that does one piece at a time. Think of each caller's lane as a queue at a counter
// of its own, and of the device as the one clerk who serves the lanes in turn: a lane's order, its failures and its abort
// are its own, and no lane waits for more than one long piece of each other.

/** A piece of work: it has ended when it returns, or, where it returns a promise, when that settles. */
export type Work = () => void | Promise<void>;

/** Options of {@linkcode WorkQueue.lane}. */
export interface LaneOptions {
  /** Ends the lane: what is queued is dropped, and its reads are rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Asks the lane's piece that is under way to stop early. */
  readonly stop?: () => void;
}

/** What waits in a lane. */
interface Item {
  /** The items of all lanes are numbered in the order in which they were queued. */
  readonly number: number;
  readonly work: Work;
  /** Called in place of the work where the work is dropped. */
  readonly drop?: (reason: unknown) => void;
}

/** One caller's work, in order. A failure drops what is queued after it, until a read has reported it. */
export class Lane {
  readonly items: Item[] = [];
  #failure: { readonly error: unknown } | undefined;
  readonly #onAbort = () => this.queue.abort(this);

  /** @param queue The queue that the lane belongs to; {@linkcode WorkQueue.lane} makes lanes. */
  constructor(readonly queue: WorkQueue, readonly options: LaneOptions) {
    const { signal } = options;
    if (!signal?.aborted) signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** What the lane failed with, or was aborted with, that no read has reported yet. */
  get failure(): { readonly error: unknown } | undefined {
    const { signal } = this.options;
    return signal?.aborted ? { error: signal.reason } : this.#failure;
  }

  /** Queue work. It begins at once where no other work runs. */
  run(work: Work): void {
    if (!this.failure) this.queue.add(this, work);
  }

  /**
   * Take a value once all work that was queued before has ended.
   *
   * @throws What that work failed with, or the signal's reason.
   */
  read<T>(take: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.failure) return this.#report(reject);
      this.queue.add(this, () => resolve(take()), reject);
    });
  }

  /** Make the lane fail: drop what is queued, and reject its reads. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    // Where the lane was aborted, the work that was running fails too: its error is not the reason that is reported.
    const failure = this.failure!;
    for (const { drop } of this.items.splice(0)) if (drop) this.#report(drop, failure);
  }

  /** Ignore the signal from now on; what is queued is still executed. */
  close(): void {
    this.options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #report(reject: (reason: unknown) => void, failure = this.failure): void {
    reject(failure!.error);
    this.#failure = undefined;
  }
}

/** A promise of the result of an action that is called later. */
function promised<T>(act: () => T, later: (settle: () => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    later(() => {
      try {
        resolve(act());
      } catch (error) {
        reject(error);
      }
    })
  );
}

/** Serves lanes in turn, one piece of work at a time. */
export class WorkQueue {
  /** The lanes that have work waiting, the one whose turn is next first. */
  readonly #waiting: Lane[] = [];
  /** Actions that run between two pieces of work, once all items up to a number have ended. */
  readonly #later: { readonly after: number; readonly act: () => void }[] = [];
  #current: { readonly lane: Lane; readonly number: number } | undefined;
  #number = 0;

  /** Whether nothing is waiting or under way, so that work that is queued now begins at once. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#waiting.length === 0;
  }

  /** A lane of its own for a caller. */
  lane(options: LaneOptions = {}): Lane {
    return new Lane(this, options);
  }

  /** Call `act` once everything that is queued now, in any lane, has ended; at once where nothing is. */
  afterwards(act: () => void): void {
    if (this.isIdle && this.#later.length === 0) act();
    else this.#later.push({ after: this.#number, act });
  }

  /** Call `act` once everything that is queued now has ended, whether it succeeded or failed. @returns What `act` returns. */
  settled<T>(act: () => T): Promise<T> {
    return promised(act, (settle) => this.afterwards(settle));
  }

  /** Call `act` as soon as no work runs, before the work that waits. @returns What `act` returns. */
  between<T>(act: () => T): Promise<T> {
    return promised(act, (settle) => {
      if (this.#current === undefined) settle();
      else this.#later.unshift({ after: 0, act: settle });
    });
  }

  /** Queue a lane's work: {@linkcode Lane.run} and {@linkcode Lane.read} call it. */
  add(lane: Lane, work: Work, drop?: (reason: unknown) => void): void {
    if (lane.items.push({ number: ++this.#number, work, drop }) === 1 && this.#current?.lane !== lane) {
      this.#waiting.push(lane);
    }
    this.#serve();
  }

  /** End a lane whose signal was aborted. */
  abort(lane: Lane): void {
    // The piece that runs ends first, and then the lane.
    if (this.#current?.lane === lane) return lane.options.stop?.();
    this.#dismiss(lane);
    lane.fail(lane.options.signal?.reason);
  }

  /** Do what waits, until a piece is under way. */
  #serve(): void {
    while (this.#current === undefined) {
      const [lane] = this.#waiting;
      const item = lane?.items.shift();
      if (!item) return this.#actLater();
      this.#begin(lane, item);
    }
  }

  #begin(lane: Lane, { number, work, drop }: Item): void {
    this.#current = { lane, number };
    let pending: void | Promise<void> = undefined;
    try {
      pending = work();
    } catch (error) {
      drop?.(error);
      if (!drop) lane.fail(error);
    }
    if (!pending) return this.#end(lane, false);
    pending.catch((error) => lane.fail(error)).then(() => {
      this.#end(lane, true);
      this.#serve();
    });
  }

  /** @param rotate Whether it is another lane's turn. */
  #end(lane: Lane, rotate: boolean): void {
    this.#current = undefined;
    if (lane.options.signal?.aborted) lane.fail(lane.options.signal.reason);
    if (rotate || lane.items.length === 0) this.#dismiss(lane);
    if (rotate && lane.items.length > 0) this.#waiting.push(lane);
    this.#actLater();
  }

  #dismiss(lane: Lane): void {
    const at = this.#waiting.indexOf(lane);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  #actLater(): void {
    const oldest = Math.min(...this.#waiting.map(({ items }) => items[0]?.number ?? Infinity));
    while (this.#current === undefined && this.#later.length > 0 && this.#later[0].after < oldest) {
      this.#later.shift()!.act();
    }
  }
}
