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
    const bytes = await this.readBytes(file);
    return bytes && new MemorySource(`${this.name}${file}`, bytes);
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}${file}`);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkFileName(this.name, file);
    const url = new URL(this.#base);
    url.pathname += file.split("/").map(encodeURIComponent).join("/");
    try {
      const response = await fetch(url, { signal: this.options.signal });
      if (response.status === 404 || response.status === 410) {
        await response.body?.cancel();
        return undefined;
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw new HubError(`Cannot fetch ${this.name}${file}: the server answered ${response.status}`);
      }
      return await this.#receive(file, response);
    } catch (error) {
      if (error instanceof HubError || this.options.signal?.aborted) throw error;
      throw new HubError(`Cannot fetch ${this.name}${file}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Collect a response's body; the announced length is only shown, never allocated. */
  async #receive(file: string, response: Response): Promise<Uint8Array<ArrayBuffer>> {
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
    const bytes = new Uint8Array(done);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}
