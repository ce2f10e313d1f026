// The content of a tokenizer.json (the Rust tokenizers library's serialisation) as far as Limner looks into it, and the
// settings that stand beside it in tokenizer_config.json and its older companions.

/** A token that is matched in the text before any other rule. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it matches only between word borders. */
  readonly single_word: boolean;
  /** Whether it takes in the white space before it. */
  readonly lstrip: boolean;
  /** Whether it takes in the white space after it. */
  readonly rstrip: boolean;
  /** Whether it is matched after normalisation. */
  readonly normalized: boolean;
  /** Whether decoding can skip it. */
  readonly special: boolean;
}

/** A part of a tokenizer.json: a normalizer, pre-tokenizer, post-processor or decoder. */
export interface Component {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** tokenizer.json's content. */
export interface TokenizerDefinition {
  readonly version?: string;
  readonly truncation?: unknown;
  readonly padding?: unknown;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly model: Component;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
}

/** The roles that a special token can have, as Transformers names them. */
export const roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const;

/** A role of a special token. */
export type Role = typeof roles[number];

/** What tokenizer_config.json and its companions say, in one form. */
export interface TokenizerSettings {
  /** Transformers' class, for example `GPT2Tokenizer`. */
  readonly tokenizerClass?: string;
  /** The special tokens by role. */
  readonly specialTokens: Readonly<Partial<Record<Role, string>>>;
  /** Tokens to add to the vocabulary where it lacks them; the id is known for tokens of older files. */
  readonly extraTokens: readonly (Omit<AddedToken, "id"> & { id?: number })[];
  /** The most tokens that the model takes; Infinity where none is said. */
  readonly maxLength: number;
  readonly paddingSide: "left" | "right";
  readonly truncationSide: "left" | "right";
  readonly cleanUpTokenizationSpaces: boolean;
  /** tokenizer_config.json's content, all of its keys. */
  readonly config: Readonly<Record<string, unknown>>;
}
