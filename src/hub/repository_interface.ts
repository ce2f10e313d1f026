// What a model repository offers: files by name. Whoever loads from one knows not where the files lie.
import type { ByteSource } from "./byte_source.ts";

/** A folder of files, wherever it lies. */
export interface Repository {
  /** What messages call it: the folder's path or the base URL. */
  readonly name: string;
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
export interface RepositoryOptions {
  /** Refuse web addresses. @default false */
  localFilesOnly?: boolean;
  /** Ends downloads that are under way. */
  signal?: AbortSignal;
  /** Milliseconds after which a download fails if nothing has come. @default 60000 */
  timeout?: number;
  /** Called while a file is downloaded. */
  onProgress?: (progress: DownloadProgress) => void;
}
