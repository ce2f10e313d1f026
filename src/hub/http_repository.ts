// A repository under a web address. A file is fetched as a whole into memory when it is opened.
import { HubError } from "../errors/mod.ts";
import { absentStatuses, isPage, pageInstead } from "./network/absent_files.ts";
import { collectPieces, joinPieces } from "./network/response_body.ts";
import { type ByteSource, MemorySource } from "./byte_source.ts";
import { checkFileName, decodeText, maxWholeBytes } from "./folder_repository.ts";
import { namesListed } from "./network/index_page.ts";
import { requestFollowing } from "./network/redirects.ts";
import type { Repository, RepositoryOptions } from "./repository.ts";

/** The files under an http or https address. */
export class HttpRepository implements Repository {
  readonly name: string;
  readonly #base: URL;
  /** Files that do not exist, and what the server answered for them if that may mean something else. */
  readonly #absent = new Map<string, string | undefined>();

  /**
   * @param base The address under which the files lie, with or without a final slash; its query is kept.
   * @param options Signal, limits and progress of the downloads.
   */
  constructor(base: URL, private readonly options: RepositoryOptions = {}) {
    this.#base = new URL(base);
    this.#base.hash = "";
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.name = `${this.#base.origin}${this.#base.pathname}`;
  }

  async open(file: string): Promise<ByteSource | undefined> {
    return await this.#open(file, this.options.maxFileBytes ?? defaultFileBytes);
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}${file}`);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const source = await this.#open(file, maxWholeBytes);
    return await source?.read(0, source.size);
  }

  /** What the server's page for the folder lists, where it has one. */
  async list(): Promise<string[]> {
    const { signal, timeouts } = this.options;
    using answer = await requestFollowing(this.#base, { signal, timeouts });
    if (answer.status !== 200) return [];
    const tooLong = () => new HubError(`Cannot list ${this.name}: its page has more than ${maxPageBytes} bytes`);
    const page = joinPieces(await collectPieces(answer.body, maxPageBytes, tooLong));
    return isPage(page) ? namesListed(new TextDecoder().decode(page), this.#base) : [];
  }

  whyMissing(file: string): string | undefined {
    return this.#absent.get(file);
  }

  async #open(file: string, limit: number): Promise<ByteSource | undefined> {
    checkFileName(this.name, file);
    const url = new URL(this.#base);
    url.pathname += file.split("/").map(encodeURIComponent).join("/");
    const { signal, timeouts, onProgress } = this.options;
    using answer = await requestFollowing(url, { signal, timeouts });
    if (absentStatuses.has(answer.status)) {
      this.#absent.set(file, absentStatuses.get(answer.status));
      return undefined;
    }
    if (answer.status !== 200) throw answer.fail(`the server answered ${answer.status}`);
    const tooLong = () =>
      new HubError(`Cannot fetch ${this.name}${file}: it has more than the ${limit} bytes that such a file may have`);
    // The announced length is used for progress and limits, but never allocated.
    const announced = Number(answer.headers.get("content-length") ?? NaN);
    const total = Number.isSafeInteger(announced) && !answer.headers.has("content-encoding") ? announced : undefined;
    if ((total ?? 0) > limit) throw tooLong();
    const pieces = await collectPieces(answer.body, limit, tooLong, (done) => {
      onProgress?.({ stage: "downloading", file, done, total });
    });
    const source = new MemorySource(`${this.name}${file}`, pieces);
    if (total !== undefined && source.size !== total) throw answer.fail(`${source.size} of ${total} bytes came`);
    if (!isPage(await source.read(0, Math.min(source.size, 512)))) return source;
    this.#absent.set(file, pageInstead);
  }
}

/** The most bytes of the page that lists a folder. */
const maxPageBytes = 4 << 20;

/** The most bytes of a file that is held in memory. */
const defaultFileBytes = 16 * 2 ** 30;
