// The interface of a tokenizer: text to token ids and back.

/** Options of {@linkcode Tokenizer.encode}. */
export interface EncodeOptions {
  /**
   * Whether the model's start and end tokens are put around the text.
   * @default true
   */
  addSpecialTokens?: boolean;
}

/** Options of {@linkcode Tokenizer.encodeBatch}. */
export interface EncodeBatchOptions extends EncodeOptions {
  /** Fill shorter rows with the pad token, to the longest row or to `maxLength`. Rows keep their lengths without it. */
  padding?: "longest" | "max_length" | boolean;
  /**
   * The length to pad and truncate to, in tokens.
   * @default the model's own (`model_max_length`)
   */
  maxLength?: number;
  /**
   * Whether longer texts are cut to `maxLength`, special tokens included.
   * @default whether `maxLength` is given without `padding`, as in Transformers
   */
  truncation?: boolean | "longest_first" | "only_first";
}

/** Options of {@linkcode Tokenizer.decode}. */
export interface DecodeOptions {
  /**
   * Whether special tokens are left out.
   * @default false
   */
  skipSpecialTokens?: boolean;
  /**
   * Whether spaces before punctuation are taken out; byte-level BPE never does.
   * @default tokenizer_config.json's, else false
   */
  cleanUpTokenizationSpaces?: boolean;
}

/** An encoded text. */
export interface Encoding {
  /** The tokens' ids. */
  inputIds: number[];
  /** The tokens as the vocabulary spells them. */
  tokens: string[];
  /** 1 for each token. */
  attentionMask: number[];
}

/** Encoded texts, a row each. */
export interface BatchEncoding {
  /** The tokens' ids, a row a text. */
  inputIds: number[][];
  /** 1 for tokens, 0 for padding. */
  attentionMask: number[][];
}

/** Turns text into token ids and back. */
export interface Tokenizer {
  /** Encode one text; halves of surrogate pairs in it count as U+FFFD. */
  encode(text: string, options?: EncodeOptions): Encoding;
  /**
   * Encode several texts.
   *
   * @throws {OptionError} If padding is asked for and there is no pad token, or `maxLength` leaves no room.
   */
  encodeBatch(texts: readonly string[], options?: EncodeBatchOptions): BatchEncoding;
  /** Turn ids into text; ids outside of the vocabulary are passed over. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** Whether `decode` takes spaces out by itself that earlier tokens gave: then streams wait for the token after. @default false */
  readonly cleansUpSpaces?: boolean;
  /** Turn several rows of ids into texts. */
  batchDecode(ids: readonly (readonly number[])[], options?: DecodeOptions): string[];
  /** The id of a token as the vocabulary spells it, or undefined. */
  tokenToId(token: string): number | undefined;
  /** The token of an id as the vocabulary spells it, or undefined. */
  idToToken(id: number): string | undefined;
  /**
   * Write tokenizer.json and tokenizer_config.json.
   *
   * @param folder Where to; it is made if it is missing.
   */
  savePretrained(folder: string | URL): Promise<void>;
  /** How many tokens there are, added ones included. */
  readonly vocabularySize: number;
  /** The ids of the special tokens that the files name, in ascending order; decoding can skip other tokens too. */
  readonly allSpecialIds: readonly number[];
  /** The token that fills texts up to a length; undefined where there is none. */
  readonly padTokenId: number | undefined;
  /** The token that begins a text; undefined where there is none. */
  readonly bosTokenId: number | undefined;
  /** The token that ends a text; undefined where there is none. */
  readonly eosTokenId: number | undefined;
  /** The token that stands for what the vocabulary lacks; undefined where there is none. */
  readonly unkTokenId: number | undefined;
  /** The token that stands for a whole text, first in it (BERT); undefined where there is none. */
  readonly clsTokenId: number | undefined;
  /** The token that separates two texts (BERT); undefined where there is none. */
  readonly sepTokenId: number | undefined;
  /** The token that is to be guessed (BERT); undefined where there is none. */
  readonly maskTokenId: number | undefined;
}
