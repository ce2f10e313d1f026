// What a model repository offers: files by name. Whoever loads from one knows not where the files lie.
import type { ByteSource } from "./byte_source.ts";
import type { Timeouts } from "./network/timeouts.ts";

/** A folder of files, wherever it lies. */
export interface Repository {
  /** What messages call it: the folder's path, the base URL, or the name on the Hub. */
  readonly name: string;
  /** Where it lies if it is a folder of the user's own, symbolic links resolved: a save there replaces its files. */
  readonly folder?: string;
  /**
   * The hash by which the Hub names a file's content; absent where files may change under their name.
   *
   * @returns The hash, or undefined if there is no such file, or nothing is known of its content.
   */
  blobOf?(file: string): Promise<string | undefined>;
  /**
   * Open a file for random access.
   *
   * @param file Its name in the repository, with `/` between folders.
   * @returns The file, or undefined if the repository has none of that name.
   * @throws {HubError} If the name leads out of the repository, or the file cannot be read.
   */
  open(file: string): Promise<ByteSource | undefined>;
  /**
   * Read a UTF-8 text file as a whole.
   *
   * @returns The text, or undefined if the repository has no such file.
   * @throws {HubError} If the file cannot be read.
   * @throws {FormatError} If it is not UTF-8.
   */
  readText(file: string): Promise<string | undefined>;
  /**
   * Read a file as a whole.
   *
   * @returns The bytes, or undefined if the repository has no such file.
   * @throws {HubError} If the file cannot be read.
   */
  readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The names of what it has, of folders with a `/` at the end, where that can be told: for messages. */
  list?(): Promise<string[]>;
  /** What was answered for a file that is not there, where that may mean something else: for messages. */
  whyMissing?(file: string): string | undefined;
}

/** How far the download of a file has come. */
export interface DownloadProgress {
  /** What is being done. */
  readonly stage: "downloading";
  /** The file's name in the repository. */
  readonly file: string;
  /** Bytes received. */
  readonly done: number;
  /** Bytes in all, if the server said so. */
  readonly total?: number;
}

/** Options of {@linkcode openRepository}. */
export interface RepositoryOptions extends HubOptions {
  /** Ends downloads that are under way. */
  readonly signal?: AbortSignal;
  /** Limits of time for whatever is fetched. */
  readonly timeouts?: Timeouts;
  /** The most bytes of a file that is fetched from a web address and held in memory. @default 16 GiB */
  readonly maxFileBytes?: number;
  /** Called while a file is downloaded. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Which repository of the Hub, for whom, and where it is kept. */
export interface HubOptions {
  /** A branch, a tag, or a commit. @default "main" */
  readonly revision?: string;
  /** The token of whoever asks. @default HF_TOKEN, or what the token file of Hugging Face's tools holds */
  readonly token?: string;
  /** The Hub's address. @default HF_ENDPOINT, or Hugging Face's own */
  readonly endpoint?: string;
  /** The folder of the Hub's cache, which Python shares. @default HF_HUB_CACHE, or as Python finds it */
  readonly cacheDir?: string;
  /** Make no request: folders and what the cache holds. @default whether HF_HUB_OFFLINE is set */
  readonly localFilesOnly?: boolean;
}
