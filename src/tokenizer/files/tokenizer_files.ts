// Where a tokenizer is read from.

/** What a tokenizer is read from: a folder of files, wherever it lies. */
export interface TokenizerFiles {
  /** What messages call it. */
  readonly name: string;
  /** The text of a file, or undefined if there is none of that name. */
  readText(file: string): Promise<string | undefined>;
  /** The bytes of a file, or undefined if there is none of that name. */
  readBytes?(file: string): Promise<Uint8Array | undefined>;
  /** What was answered for a file that is not there, where that may mean something else: for messages. */
  whyMissing?(file: string): string | undefined;
}
