// A repository under a web address. A file is fetched as a whole into memory when it is opened.
import { HubError } from "../errors.ts";
import { type ByteSource, MemorySource } from "./byte_source.ts";
import { checkFileName, decodeText } from "./folder_repository.ts";
import type { Repository, RepositoryOptions } from "./repository_interface.ts";

/** The files under an http or https address. */
export class HttpRepository implements Repository {
  readonly name: string;
  readonly #base: URL;

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
    const pieces = await this.#fetch(file);
    return pieces && new MemorySource(`${this.name}${file}`, joinSmall(pieces));
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}${file}`);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const source = await this.open(file);
    return await source?.read(0, source.size);
  }

  async #fetch(file: string): Promise<Uint8Array[] | undefined> {
    checkFileName(this.name, file);
    const url = new URL(this.#base);
    url.pathname += file.split("/").map(encodeURIComponent).join("/");
    try {
      const response = await fetch(url, { signal: this.options.signal });
      if (response.ok) return await this.#receive(file, response);
      await response.body?.cancel();
      if (response.status === 404 || response.status === 410) return undefined;
      throw new HubError(`Cannot fetch ${this.name}${file}: the server answered ${response.status}`);
    } catch (error) {
      if (error instanceof HubError || this.options.signal?.aborted) throw error;
      throw new HubError(`Cannot fetch ${this.name}${file}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Collect a response's body; the announced length is only shown, never allocated. */
  async #receive(file: string, response: Response): Promise<Uint8Array[]> {
    const announced = Number(response.headers.get("content-length") ?? NaN);
    const total = Number.isSafeInteger(announced) && !response.headers.has("content-encoding") ? announced : undefined;
    const chunks: Uint8Array[] = [];
    let done = 0;
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      done += chunk.length;
      this.options.onProgress?.({ stage: "downloading", file, done, total });
    }
    if (total !== undefined && done !== total) {
      throw new HubError(`Cannot fetch ${this.name}${file}: ${done} of ${total} bytes came`);
    }
    return chunks;
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
