// A model's vocabulary, and the error for text that it does not cover.
import { FormatError } from "../../errors/mod.ts";

/** The tokens of a model by their ids, and the other way round. */
export class Vocabulary {
  /** How many tokens there are. */
  readonly size: number;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: string[] = [];

  /** @param vocab Tokens with their ids, or a list whose entries begin with a token each, in the order of their ids. */
  constructor(vocab: Readonly<Record<string, number>> | readonly (readonly [string, ...unknown[]])[]) {
    const ids = new Map<string, number>();
    const listed = Array.isArray(vocab);
    const tokens: readonly string[] = listed ? vocab.map(([piece]) => piece) : Object.keys(vocab);
    tokens.forEach((token, at) => {
      const id = listed ? at : (vocab as Readonly<Record<string, number>>)[token];
      ids.set(token, id);
      this.#tokens[id] = token;
    });
    this.#ids = ids;
    this.size = tokens.length;
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
