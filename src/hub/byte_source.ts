// Random access to the bytes of one file, whether it lies in a folder or in memory.
// A local file is opened for each read: nothing is left open, reads may overlap, and none needs closing.
import { HubError } from "../errors/mod.ts";

/** The bytes of one file. */
export interface ByteSource {
  /** What messages call the file: its path or URL. */
  readonly name: string;
  /** The real path, symbolic links resolved, when it is a local file. */
  readonly path?: string;
  /** The file's length in bytes. */
  readonly size: number;
  /** For callers that read `path` themselves: throws a HubError if the file was changed or replaced since it was opened. */
  readonly check?: () => void;
  /**
   * Read `length` bytes from `offset`.
   *
   * @returns Fresh bytes that the caller owns, exactly `length` of them, from the start of their buffer.
   * @throws {HubError} If the bytes are not all inside the file, or the file changed since it was opened.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Read bytes from `offset` into the caller's memory, as many as it has; undefined where that saves nothing.
   *
   * @throws {HubError} As `read` does.
   */
  readInto?(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

function checkRange(source: ByteSource, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw new HubError(
    `Cannot read ${length} bytes at ${offset} of ${source.name}: the file has ${source.size} bytes`,
  );
}

/** A file that is held in memory, as a whole or in the pieces in which it was received. */
export class MemorySource implements ByteSource {
  readonly size: number;
  readonly #pieces: readonly Uint8Array[];

  /**
   * Wrap bytes.
   *
   * @param name What messages call the file.
   * @param pieces The file, or its pieces in order.
   */
  constructor(readonly name: string, pieces: Uint8Array | readonly Uint8Array[]) {
    this.#pieces = pieces instanceof Uint8Array ? [pieces] : pieces;
    this.size = this.#pieces.reduce((sum, { length }) => sum + length, 0);
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    let start = 0; // where the piece begins in the file
    for (const piece of this.#pieces) {
      if (start >= offset + length) break;
      const part = piece.subarray(Math.max(0, offset - start), Math.max(0, offset + length - start));
      if (part.length > 0) bytes.set(part, Math.max(0, start - offset));
      start += piece.length;
    }
    return bytes;
  }
}

/** Reads of at most this many bytes block: they take microseconds, less than a trip to the thread pool. */
const blockingBytes = 1 << 18;

/** A local file, opened anew for each read; it must stay the same file (device, inode, size, time of change). */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly path: string;
  readonly check: () => void = () => this.#reopen().close();
  readonly #identity: string;

  private constructor(readonly name: string, path: string, info: Deno.FileInfo) {
    this.path = path;
    this.size = info.size;
    this.#identity = identityOf(info);
  }

  /**
   * Open a file.
   *
   * @param path The file; symbolic links are followed.
   * @returns The file, or undefined if there is none.
   * @throws {HubError} If it may not be read, or is not a file.
   */
  static async open(path: string): Promise<FileSource | undefined> {
    try {
      const real = await Deno.realPath(path);
      const info = await Deno.stat(real);
      if (!info.isFile) throw new HubError(`Cannot read ${path}: it is not a file`);
      return new FileSource(path, real, info);
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (error instanceof HubError) throw error;
      throw new HubError(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes);
    return bytes;
  }

  async readInto(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    checkRange(this, offset, bytes.length);
    using file = this.#reopen();
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.subarray(at);
      const count = rest.length <= blockingBytes ? file.readSync(rest) : await file.read(rest);
      if (count === null) throw new HubError(`Cannot read ${this.name}: it ended at byte ${offset + at}`);
      at += count;
    }
  }

  #reopen(): Deno.FsFile {
    let file: Deno.FsFile | undefined;
    try {
      file = Deno.openSync(this.path);
      if (identityOf(file.statSync()) === this.#identity) return file;
    } catch (error) {
      file?.close();
      throw new HubError(`Cannot read ${this.name}: ${(error as Error).message}`, { cause: error });
    }
    file.close();
    throw new HubError(`Cannot go on reading ${this.name}: the file was changed or replaced meanwhile`);
  }
}

/** Whether an error means that a path does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function identityOf(info: Deno.FileInfo): string {
  return `${info.dev}:${info.ino}:${info.size}:${info.mtime?.getTime()}`;
}
