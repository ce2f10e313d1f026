// The content of a tokenizer.json (the Rust tokenizers library's serialisation), as far as Limner uses it.

/** How a token is matched in a text before any other rule. */
export interface AddedToken {
  /** The id that a file gives it; only classes that are written in Python use it. */
  readonly id?: number;
  readonly content: string;
  /** Whether it matches only between word boundaries. */
  readonly single_word: boolean;
  /** Whether the match includes the white space before it. */
  readonly lstrip: boolean;
  /** Whether the match includes the white space after it. */
  readonly rstrip: boolean;
  /** Whether it is matched after normalisation. */
  readonly normalized: boolean;
  /** Whether decoding can skip it. */
  readonly special: boolean;
}

/** A part of a tokenizer.json: a normalizer, pre-tokenizer, model, post-processor or decoder. */
export interface Component {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** tokenizer.json's content. */
export interface TokenizerDefinition {
  /** In the order in which they are added; a token that the vocabulary lacks takes the next free id. */
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly model: Component;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
  readonly [key: string]: unknown;
}

/** Throws the error for a definition that cannot be used: what is wrong, and at which key. */
export type Fail = (what: string, key: string) => never;

/**
 * Look a component's type up in a table of the known ones.
 *
 * @param types The known ones, by type.
 * @param part The component.
 * @param key What messages call it, for example `pre_tokenizer`.
 */
export function lookUp<T>(types: Readonly<Record<string, T>>, part: Component, key: string, fail: Fail): T {
  if (Object.hasOwn(types, part.type)) return types[part.type];
  const known = Object.keys(types).sort().join(", ");
  return fail(`its ${key} is of type ${JSON.stringify(part.type)}, and one of ${known} was expected`, `${key}.type`);
}

/** An added token with the defaults of the flags that are missing. */
export function addedToken(token: Partial<AddedToken> & { readonly content: string }): AddedToken {
  const { id, content, single_word = false, lstrip = false, rstrip = false, special = false } = token;
  return { id, content, single_word, lstrip, rstrip, normalized: token.normalized ?? !special, special };
}
