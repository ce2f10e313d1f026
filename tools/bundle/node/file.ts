// An open file as Deno has it, with a place in it, on Node's descriptors.
import type { Buffer } from "node:buffer";
import {
  closeSync,
  createReadStream,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  read,
  readSync,
  write,
  writeSync,
} from "node:fs";
import { Readable } from "node:stream";

/** How a file is opened, as `Deno.OpenOptions`. */
export interface OpenOptions {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  readonly truncate?: boolean;
  readonly create?: boolean;
  readonly createNew?: boolean;
  readonly mode?: number;
}

/** Node's flags for what is asked. */
function flagsOf({ read = true, write, append, truncate, create, createNew }: OpenOptions): string | number {
  if (append) return read && write ? "a+" : "a";
  if (createNew) return "wx+";
  if (!write) return "r";
  return truncate ? "w+" : create ? 0o2 | 0o100 : "r+"; // O_RDWR | O_CREAT
}

/** An open file. */
export class NodeFile implements Disposable {
  #at = 0;
  #open = true;
  readonly #appends: boolean;
  readonly #isNew: boolean;

  private constructor(private readonly descriptor: number, options: OpenOptions) {
    this.#appends = options.append ?? false;
    this.#isNew = options.createNew ?? false;
  }

  /** Open a file. @throws Node's error, which the caller makes one of Deno's. */
  static open(path: string | URL, options: OpenOptions = {}): NodeFile {
    return new NodeFile(openSync(path, flagsOf(options), options.mode), options);
  }

  readSync(bytes: Uint8Array): number | null {
    const count = readSync(this.descriptor, bytes, 0, bytes.length, this.#at);
    this.#at += count;
    return count === 0 && bytes.length > 0 ? null : count;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    const at = this.#at;
    return new Promise((resolve, reject) =>
      read(this.descriptor, bytes, 0, bytes.length, at, (error, count) => {
        if (error) return reject(error);
        this.#at = at + count;
        resolve(count === 0 && bytes.length > 0 ? null : count);
      })
    );
  }

  writeSync(bytes: Uint8Array): number {
    const count = writeSync(this.descriptor, bytes, 0, bytes.length, this.#appends ? null : this.#at);
    this.#at += count;
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    const at = this.#at;
    return new Promise((resolve, reject) =>
      write(this.descriptor, bytes, 0, bytes.length, this.#appends ? null : at, (error, count) => {
        if (error) return reject(error);
        this.#at = at + count;
        resolve(count);
      })
    );
  }

  /** @param whence 0 the start, 1 here, 2 the end, as `Deno.SeekMode`. */
  seekSync(offset: number | bigint, whence: number): number {
    const from = [0, this.#at, whence === 2 ? fstatSync(this.descriptor).size : 0][whence];
    return this.#at = from + Number(offset);
  }

  seek(offset: number | bigint, whence: number): Promise<number> {
    return Promise.resolve(this.seekSync(offset, whence));
  }

  statSync(): Record<string, unknown> {
    const info = fstatSync(this.descriptor);
    const { dev, ino, size, mtime, mode } = info;
    const kinds = { isFile: info.isFile(), isDirectory: info.isDirectory(), isSymlink: false };
    return { dev, ino, size, mtime, mode, ...kinds };
  }

  stat(): Promise<Record<string, unknown>> {
    return Promise.resolve(this.statSync());
  }

  truncateSync(length = 0): void {
    ftruncateSync(this.descriptor, length);
  }

  truncate(length = 0): Promise<void> {
    return Promise.resolve(this.truncateSync(length));
  }

  syncSync(): void {
    fsyncSync(this.descriptor);
  }

  sync(): Promise<void> {
    return Promise.resolve(this.syncSync());
  }

  syncData(): Promise<void> {
    return this.sync();
  }

  /** Node has no locks of files: processes that share a cache are not kept apart. */
  lock(): Promise<void> {
    return Promise.resolve();
  }

  unlock(): Promise<void> {
    return Promise.resolve();
  }

  /** A file that was just made is its maker's; any other may be in use by another process. */
  tryLock(): Promise<boolean> {
    return Promise.resolve(this.#isNew);
  }

  /** What follows as a stream, which closes the file. */
  get readable(): ReadableStream<Uint8Array> {
    const stream = createReadStream("", { fd: this.descriptor, autoClose: true });
    this.#open = false;
    return Readable.toWeb(stream.map((chunk: Buffer) => new Uint8Array(chunk))) as unknown as ReadableStream<
      Uint8Array
    >;
  }

  close(): void {
    if (this.#open) closeSync(this.descriptor);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
