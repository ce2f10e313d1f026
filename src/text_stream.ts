// Tokens in, pieces of text out, as an async iterator. A character whose bytes come in several tokens waits for the last.

/** What a decoder writes for bytes that are no whole character. */
const replacement = "\uFFFD";

/** The text of one row, a piece at a time. */
export class TextStream implements AsyncIterable<string> {
  readonly #decode: (ids: number[]) => string;
  readonly #ids: number[] = [];
  #given = "";
  #pieces: string[] = [];
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  /** @param decode The text of ids from the beginning. */
  constructor(decode: (ids: number[]) => string) {
    this.#decode = decode;
  }

  /** Take the next tokens of the row. */
  put([tokens]: readonly (readonly number[])[]): void {
    this.#ids.push(...tokens);
    const text = this.#decode(this.#ids);
    // An unfinished character at the end is held back; so is a text that a later token has changed.
    if (!text.endsWith(replacement)) this.#give(text);
  }

  /** The last token was put: what was held back is given as it is. */
  end(): void {
    this.#give(this.#decode(this.#ids));
    this.#ended = true;
    this.#wake?.();
  }

  /** The generation failed: the iteration throws the error after the pieces so far. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#ended = true;
    this.#wake?.();
  }

  /** The pieces in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (!this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
      else if (this.#failure) throw this.#failure;
      else return;
    }
  }

  #give(text: string): void {
    if (!text.startsWith(this.#given) || text.length === this.#given.length) return;
    this.#pieces.push(text.slice(this.#given.length));
    this.#given = text;
    this.#wake?.();
  }
}
