// A model's vocabulary, and the error for text that it does not cover.
import { FormatError } from "../../errors/mod.ts";

/** The tokens of a model by their ids, and the other way round. */
export class Vocabulary {
  /** How many tokens there are. */
  readonly size: number;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: string[] = [];

  /** @param tokens Tokens with their ids. */
  constructor(tokens: readonly (readonly [string, number])[]) {
    this.#ids = new Map(tokens);
    this.size = tokens.length;
    for (const [token, id] of tokens) this.#tokens[id] = token;
  }

  /** A token's id. */
  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** An id's token. */
  token(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** The tokens that spell a text's bytes, `<0x00>` to `<0xFF>`, or undefined where one is missing. */
  bytes(text: string): number[] | undefined {
    const ids = Array.from(
      encoder.encode(text),
      (byte) => this.id(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
    return ids.every((id) => id !== undefined) ? ids as number[] : undefined;
  }
}

const encoder = new TextEncoder();

/** Throw the error for a word that the vocabulary does not cover and has no unknown token for. */
export function unknown(word: string): never {
  throw new FormatError(
    `Cannot encode ${JSON.stringify(word)}: the vocabulary does not cover it and has no token for what is unknown`,
  );
}
