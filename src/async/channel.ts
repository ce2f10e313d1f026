// Values handed from one side to another, which the first side is held back for: at most one is on its way.

/** An async iterator whose values are put from outside. */
export class Channel<T> implements AsyncIterable<T> {
  #values: { value: T; taken: () => void }[] = [];
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  /** Hand over a value. @returns A promise that resolves once it was taken, or nobody will take it. */
  put(value: T): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((taken) => {
      this.#values.push({ value, taken });
      this.#wake?.();
    });
  }

  /** There are no more values; a failure is thrown behind the last, once. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** The values in order, for one reader; where it leaves early, whoever puts is not held back any more. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        const next = this.#values.shift();
        if (next) {
          next.taken();
          yield next.value;
        } else if (!this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
        else if (this.#failure !== undefined) throw this.#failure;
        else return;
      }
    } finally {
      this.#ended = true;
      for (const { taken } of this.#values.splice(0)) taken();
    }
  }
}
