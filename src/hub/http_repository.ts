// A repository under a web address. A file is fetched as a whole into memory when it is opened.
import { HubError } from "../errors.ts";
import { absentStatuses, isPage, pageInstead } from "./absent_files.ts";
import { type ByteSource, MemorySource } from "./byte_source.ts";
import { checkFileName, decodeText, maxWholeBytes } from "./folder_repository.ts";
import type { Repository, RepositoryOptions } from "./repository_interface.ts";

/** Milliseconds without a byte after which a download has failed. */
const defaultTimeout = 60_000;

/** The files under an http or https address. */
export class HttpRepository implements Repository {
  readonly name: string;
  readonly #base: URL;
  /** Files that are not there, and what the server answered for them. */
  readonly #absent = new Map<string, string | undefined>();

  /**
   * @param base The address under which the files lie, with or without a final slash; its query is kept.
   * @param options Signal and progress of the downloads.
   */
  constructor(base: URL, private readonly options: RepositoryOptions = {}) {
    this.#base = new URL(base);
    this.#base.hash = "";
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.name = `${this.#base.origin}${this.#base.pathname}`;
  }

  async open(file: string): Promise<ByteSource | undefined> {
    return await this.#open(file, Infinity);
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}${file}`);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const source = await this.#open(file, maxWholeBytes);
    return await source?.read(0, source.size);
  }

  whyMissing(file: string): string | undefined {
    return this.#absent.get(file);
  }

  async #open(file: string, limit: number): Promise<ByteSource | undefined> {
    const pieces = await this.#fetch(file, limit);
    const source = pieces && new MemorySource(`${this.name}${file}`, joinSmall(pieces));
    if (!source || !isPage(await source.read(0, Math.min(source.size, 512)))) return source;
    this.#absent.set(file, pageInstead);
  }

  async #fetch(file: string, limit: number): Promise<Uint8Array[] | undefined> {
    checkFileName(this.name, file);
    const url = new URL(this.#base);
    url.pathname += file.split("/").map(encodeURIComponent).join("/");
    using transfer = new Transfer(this.options);
    try {
      const response = await fetch(url, { signal: transfer.signal });
      if (response.status === 200) return await this.#receive(file, response, limit, transfer);
      await response.body?.cancel();
      if (absentStatuses.has(response.status)) {
        this.#absent.set(file, absentStatuses.get(response.status));
        return undefined;
      }
      throw new HubError(`Cannot fetch ${this.name}${file}: the server answered ${response.status}`);
    } catch (error) {
      if (error instanceof HubError || this.options.signal?.aborted) throw error;
      const { message, cause } = error as Error;
      const why = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : "";
      const when = transfer.bytes === 0 ? "" : `after ${transfer.bytes} bytes, `;
      throw new HubError(`Cannot fetch ${this.name}${file}: ${when}${message}${why}`, { cause: error });
    }
  }

  /** Collect a response's body; the announced length is only shown, never allocated. */
  async #receive(file: string, response: Response, limit: number, transfer: Transfer): Promise<Uint8Array[]> {
    const announced = Number(response.headers.get("content-length") ?? NaN);
    const total = Number.isSafeInteger(announced) && !response.headers.has("content-encoding") ? announced : undefined;
    const chunks: Uint8Array[] = [];
    const checkLimit = (bytes: number) => {
      if (bytes <= limit) return;
      throw new HubError(
        `Cannot fetch ${this.name}${file}: it has more than the ${limit} bytes that such a file may have`,
      );
    };
    checkLimit(total ?? 0);
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      transfer.count(chunk.length);
      checkLimit(transfer.bytes);
      this.options.onProgress?.({ stage: "downloading", file, done: transfer.bytes, total });
    }
    if (total !== undefined && transfer.bytes !== total) {
      throw new HubError(`Cannot fetch ${this.name}${file}: ${transfer.bytes} of ${total} bytes came`);
    }
    return chunks;
  }
}

/** A download under way, whose signal ends it when it is asked to, or when nothing has come for too long. */
class Transfer implements Disposable {
  /** What has come. */
  bytes = 0;
  readonly signal: AbortSignal;
  readonly #stalled = new AbortController();
  readonly #milliseconds: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ signal, timeout = defaultTimeout }: RepositoryOptions) {
    this.#milliseconds = timeout;
    this.signal = signal ? AbortSignal.any([signal, this.#stalled.signal]) : this.#stalled.signal;
    this.count(0);
  }

  /** Note that something came, and wait anew. */
  count(bytes: number): void {
    this.bytes += bytes;
    clearTimeout(this.#timer);
    const stall = () => this.#stalled.abort(new Error(`nothing came for ${this.#milliseconds / 1000} s`));
    this.#timer = setTimeout(stall, this.#milliseconds);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** Join the pieces of a body, which come in a few KB each, to pieces of some MB: fewer to search, and nothing is doubled. */
function joinSmall(pieces: Uint8Array[]): Uint8Array[] {
  const limit = 4 << 20;
  const joined: Uint8Array[] = [];
  for (let from = 0, to = 0; from < pieces.length; from = to) {
    let length = 0;
    while (to < pieces.length && (to === from || length + pieces[to].length <= limit)) length += pieces[to++].length;
    const piece = new Uint8Array(length);
    let at = 0;
    for (let i = from; i < to; i++) {
      piece.set(pieces[i], at);
      at += pieces[i].length;
      pieces[i] = new Uint8Array(); // so that its memory can go
    }
    joined.push(piece);
  }
  return joined;
}
