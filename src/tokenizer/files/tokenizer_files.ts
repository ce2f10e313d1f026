// Where a tokenizer is read from.

/** What a tokenizer is read from: a folder of files, such as a repository. */
export interface TokenizerFiles {
  /** What messages call it. */
  readonly name: string;
  /** The text of a file, or undefined if there is none of that name. */
  readText(file: string): Promise<string | undefined>;
  /** The bytes of a file, or undefined if there is none of that name. */
  readBytes?(file: string): Promise<Uint8Array | undefined>;
  /** For messages: what was answered for an absent file, if that may mean something else. */
  whyMissing?(file: string): string | undefined;
}
