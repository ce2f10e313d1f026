// A channel with backpressure: a producer puts values, a consumer iterates over them, and the producer can wait until each
// value was taken.

/** An async iterator whose values are put from outside. */
export class Channel<T> implements AsyncIterable<T> {
  #values: { value: T; taken: () => void }[] = [];
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  /** Put a value. @returns A promise that resolves once the value was taken, or will not be taken any more. */
  put(value: T): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((taken) => {
      this.#values.push({ value, taken });
      this.#wake?.();
    });
  }

  /** End the channel: no more values come. A failure is thrown to the consumer once, after the last value. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** The values in order, for one consumer; where it stops early, the producer does not wait any more. */
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
