// A model repository: files by name. Code that loads from one does not know where the files are.
import type { ByteSource } from "./byte_source.ts";
import type { Timeouts } from "./network/timeouts.ts";

/** A folder of files on this machine, at a web address or on the Hub. */
export interface Repository {
  /** What messages call it: the folder's path, the base URL, or the name on the Hub. */
  readonly name: string;
  /** The real path of a folder of the user's own, symbolic links resolved; saving there replaces the files that are read. */
  readonly folder?: string;
  /**
   * The hash by which the Hub names a file's content; repositories whose files may change have no such method.
   *
   * @returns The hash, or undefined if there is no such file, or its hash is not known.
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
  /** The names of what it has, of folders with a `/` at the end, if they can be listed: for messages. */
  list?(): Promise<string[]>;
  /** For messages: what was answered for an absent file, if that may mean something else. */
  whyMissing?(file: string): string | undefined;
}

/** How far the download of a file has come. */
export interface DownloadProgress {
  /** The kind of progress. */
  readonly stage: "downloading";
  /** The file's name in the repository. */
  readonly file: string;
  /** Bytes received. */
  readonly done: number;
  /** The file's bytes, if the server announced them. */
  readonly total?: number;
}

/** Options of {@linkcode openRepository}. */
export interface RepositoryOptions extends HubOptions {
  /** Ends downloads that are under way. */
  readonly signal?: AbortSignal;
  /** Time limits for what is fetched. */
  readonly timeouts?: Timeouts;
  /** The most bytes of a file that is fetched from a web address and held in memory. @default 16 GiB */
  readonly maxFileBytes?: number;
  /** Called while a file is downloaded. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** The revision, the user's token, the Hub's address and the cache. */
export interface HubOptions {
  /** A branch, a tag, or a commit. @default "main" */
  readonly revision?: string;
  /** The user's token. @default HF_TOKEN, or what the token file of Hugging Face's tools holds */
  readonly token?: string;
  /** The Hub's address. @default HF_ENDPOINT, or Hugging Face's own */
  readonly endpoint?: string;
  /** The folder of the Hub's cache, which Python shares. @default HF_HUB_CACHE, or as Python finds it */
  readonly cacheDir?: string;
  /** Make no request: only folders and the cache are read. @default whether HF_HUB_OFFLINE is set */
  readonly localFilesOnly?: boolean;
}
