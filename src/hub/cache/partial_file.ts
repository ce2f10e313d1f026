// A file that arrives in pieces, in any order, from several connections, and is continued where a killed process left it.
// Think of it as the file's bytes followed by a journal of one byte per piece. A piece's byte is written after the piece, so
// a piece counts only when it is whole; when all have arrived the journal is cut off, and the file gets its name.
import { HubError } from "../../errors/mod.ts";
import { BackgroundSync } from "../background_sync.ts";

/** The bytes of a piece: the most that is fetched again for each connection of a killed process. */
export const pieceBytes = 1 << 20;

/** A file that is not whole yet. */
export class PartialFile implements Disposable {
  /** The bytes that have arrived. */
  done = 0;
  readonly #journal: Uint8Array<ArrayBuffer>;
  #open = true;
  readonly #sync: BackgroundSync;

  private constructor(readonly path: string, readonly size: number, private readonly file: Deno.FsFile) {
    this.#journal = new Uint8Array(Math.ceil(size / pieceBytes));
    this.#sync = new BackgroundSync(file);
  }

  /**
   * Open what has arrived of a file, or begin it.
   *
   * @param path The partial file's own path; whoever opens it holds the blob's lock.
   * @param size The bytes of the whole file.
   */
  static async open(path: string, size: number): Promise<PartialFile> {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    const partial = new PartialFile(path, size, file);
    try {
      await partial.#recover();
    } catch (error) {
      partial[Symbol.dispose]();
      throw error;
    }
    return partial;
  }

  async #recover(): Promise<void> {
    const pieces = this.#journal.length;
    const { size } = await this.file.stat();
    // The process was killed after it cut off the journal: all pieces have arrived.
    if (size === this.size && size > 0) this.#journal.fill(1);
    else if (size === this.size + pieces) await readFully(this.file, this.size, this.#journal);
    else await this.clear();
    this.done = this.#journal.reduce((sum, there, piece) => sum + (there === 1 ? this.#lengthOf(piece) : 0), 0);
  }

  /** The number of pieces. */
  get pieces(): number {
    return this.#journal.length;
  }

  /** Whether a piece has arrived. */
  has(piece: number): boolean {
    return this.#journal[piece] === 1;
  }

  /** Discard what has arrived. */
  async clear(): Promise<void> {
    this.#journal.fill(0);
    this.done = 0;
    await this.file.truncate(0);
    await this.file.truncate(this.size + this.#journal.length);
  }

  /** Write one piece, then its byte of the journal. */
  async write(piece: number, bytes: Uint8Array): Promise<void> {
    const length = this.#lengthOf(piece);
    if (bytes.length !== length) throw new HubError(`Cannot write ${this.path}: a piece has ${bytes.length} bytes`);
    // Connections write at the same time, so each opens the file for a position of its own.
    using file = await Deno.open(this.path, { write: true });
    await writeFully(file, piece * pieceBytes, bytes);
    await writeFully(file, this.size + piece, Uint8Array.of(1));
    if (this.#journal[piece] === 0) this.done += length;
    this.#journal[piece] = 1;
    this.#sync.wrote(length);
  }

  /** Read a piece that has arrived into a buffer; returns the part of the buffer that is filled. */
  readSync(piece: number, buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const bytes = buffer.subarray(0, this.#lengthOf(piece));
    this.file.seekSync(piece * pieceBytes, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      const count = this.file.readSync(bytes.subarray(at));
      if (count === null) throw new HubError(`Cannot read ${this.path}: it was cut short meanwhile`);
      at += count;
    }
    return bytes;
  }

  /** Give the whole file its name, once it is on the disk. */
  async appear(path: string): Promise<void> {
    await this.file.truncate(this.size);
    await this.#sync.flush();
    this.#close();
    await Deno.rename(this.path, path);
  }

  /** Remove it. */
  async remove(): Promise<void> {
    this.#close();
    await Deno.remove(this.path);
  }

  #lengthOf(piece: number): number {
    return Math.min(pieceBytes, this.size - piece * pieceBytes);
  }

  #close(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

async function readFully(file: Deno.FsFile, offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) return;
    at += count;
  }
}

async function writeFully(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
