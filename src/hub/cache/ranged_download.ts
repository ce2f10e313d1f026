// A large file by parallel range requests: segments are taken in order by a few connections, each piece is written as it
// comes, and the content is hashed behind them.
import { HubError } from "../../errors/mod.ts";
import { ContentHash } from "./content_hash.ts";
import type { HubClient } from "../hub_client.ts";
import { PartialFile, pieceBytes } from "./partial_file.ts";
import { type Answer, shown } from "../network/request.ts";
import { type Patience, retrying } from "../network/retrying.ts";

/** A file that is to be downloaded. */
export interface Wanted {
  readonly url: URL;
  readonly etag: string;
  readonly size: number;
}

/** How it is downloaded. */
export interface RangeOptions {
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
  /** Is told the bytes that are there. */
  readonly onBytes?: (done: number) => void;
}

const connections = 8;
/** The pieces that a request asks for at most: 16 MiB. */
const piecesOfSegment = 16;

/**
 * Download a file's missing pieces, and give it its name when its content is what its etag says.
 *
 * @param partialPath Where it grows; what lies there is gone on with.
 * @param path Its name.
 * @throws {HubError} If it does not come, or is not what was announced.
 */
export async function downloadRanges(
  client: HubClient,
  wanted: Wanted,
  partialPath: string,
  path: string,
  options: RangeOptions,
): Promise<void> {
  using partial = await PartialFile.open(partialPath, wanted.size);
  const resumed = partial.done > 0;
  // HTTP/2 would send all parts through one connection.
  using http = Deno.createHttpClient({ http2: false, poolMaxIdlePerHost: connections });
  let problem = await new RangedDownload(client, wanted, partial, http, options).run();
  // A disk that lost what was written before a crash is no reason to give up.
  if (problem && resumed) {
    await partial.clear();
    problem = await new RangedDownload(client, wanted, partial, http, options).run();
  }
  if (problem) {
    await partial.remove();
    throw new HubError(`Cannot fetch ${shown(wanted.url)}: ${problem}`, { code: "damaged" });
  }
  await partial.appear(path);
}

class RangedDownload {
  /** The first piece that no connection has taken. */
  #next = 0;
  /** The pieces that are hashed. */
  #hashed = 0;
  readonly #hash: ContentHash;
  readonly #scratch = new Uint8Array(pieceBytes);
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    private readonly client: HubClient,
    private readonly wanted: Wanted,
    private readonly partial: PartialFile,
    private readonly http: Deno.HttpClient,
    private readonly options: RangeOptions,
  ) {
    this.#hash = new ContentHash(wanted.etag, wanted.size);
    const { signal } = this.#stop;
    this.#signal = options.signal ? AbortSignal.any([options.signal, signal]) : signal;
  }

  /** Fetch what is missing; returns what is wrong with the whole. */
  async run(): Promise<string | undefined> {
    this.options.onBytes?.(this.partial.done);
    // The others wait until the first has an answer: a server may send nothing but whole files.
    const { promise: ranged, resolve } = Promise.withResolvers<boolean>();
    const workers = Array.from({ length: connections }, async (_, n) => {
      if (n === 0 || await ranged) await this.#work((answer) => resolve(answer.status === 206));
      resolve(false); // where nothing was missing, there was no answer
    });
    try {
      await Promise.all(workers.map((worker) => worker.catch((error) => this.#give(error, resolve))));
    } finally {
      await Promise.allSettled(workers);
    }
    while (this.#hashed < this.partial.pieces) {
      this.#hashReady();
      await new Promise((resolve) => setTimeout(resolve)); // a signal is heard meanwhile
      this.options.signal?.throwIfAborted();
    }
    return this.#hash.problem();
  }

  /** Make all connections end because one has failed. */
  #give(error: unknown, resolve: (ranged: boolean) => void): never {
    this.#stop.abort(error);
    resolve(false);
    throw error;
  }

  async #work(onAnswer: (answer: Answer) => void): Promise<void> {
    const buffer = new Uint8Array(pieceBytes);
    for (let segment = this.#take(); segment; segment = this.#take()) {
      const [from, end] = segment;
      let before = this.partial.done;
      await retrying({ ...this.options, signal: this.#signal }, async () => {
        before = this.partial.done;
        for (let piece = from; piece < end; piece++) {
          if (!this.partial.has(piece)) return await this.#fetch(piece, end, buffer, onAnswer);
        }
      }, () => this.partial.done > before);
    }
  }

  /** The next run of missing pieces: the first, and the one after the last. */
  #take(): [from: number, end: number] | undefined {
    const { partial } = this;
    while (this.#next < partial.pieces && partial.has(this.#next)) this.#next++;
    const from = this.#next;
    const most = Math.min(partial.pieces, from + piecesOfSegment);
    while (this.#next < most && !partial.has(this.#next)) this.#next++;
    return this.#next > from ? [from, this.#next] : undefined;
  }

  /** Fetch pieces that follow each other, as far as the answer goes. */
  async #fetch(
    from: number,
    end: number,
    buffer: Uint8Array<ArrayBuffer>,
    onAnswer: (answer: Answer) => void,
  ): Promise<void> {
    const { partial, wanted } = this;
    const last = Math.min(wanted.size, end * pieceBytes) - 1;
    const range = [from * pieceBytes, last] as const;
    using answer = await this.client.openRange(wanted.url, range, { http: this.http, signal: this.#signal });
    onAnswer(answer);
    checkRange(answer, range, wanted.size);
    let piece = answer.status === 206 ? from : 0;
    const stop = answer.status === 206 ? end : partial.pieces;
    let filled = 0;
    for await (let chunk of answer.body) {
      while (chunk.length > 0 && piece < stop) {
        const length = Math.min(pieceBytes, wanted.size - piece * pieceBytes);
        const part = chunk.subarray(0, length - filled);
        buffer.set(part, filled);
        chunk = chunk.subarray(part.length);
        filled += part.length;
        if (filled < length) continue;
        await this.#keep(piece++, buffer.subarray(0, length));
        filled = 0;
      }
      if (piece === stop) return;
    }
    const missing = Math.min(wanted.size, stop * pieceBytes) - piece * pieceBytes - filled;
    throw answer.fail(`the connection ended ${missing} bytes early`, new Error("truncated"));
  }

  async #keep(piece: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.partial.has(piece)) await this.partial.write(piece, bytes);
    this.options.onBytes?.(this.partial.done);
    this.#hashReady();
  }

  /** Hash pieces that follow those that are hashed; few at once, for it blocks. */
  #hashReady(): void {
    for (let n = 0; n < 4 && this.#hashed < this.partial.pieces && this.partial.has(this.#hashed); n++) {
      this.#hash.update(this.partial.readSync(this.#hashed++, this.#scratch));
    }
  }
}

/** Check that an answer is the part that was asked for, of a file as long as was announced. */
function checkRange(answer: Answer, [from]: readonly [number, number], size: number): void {
  if (answer.status === 200) {
    const length = answer.headers.get("content-length");
    if (length !== null && Number(length) !== size) throw damaged(answer, `it has ${length} bytes`, size);
    return;
  }
  const header = answer.headers.get("content-range") ?? "";
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header) ?? [];
  if (Number(first) !== from) throw damaged(answer, `the part that came is ${JSON.stringify(header)}`, size);
  if (total !== "*" && Number(total) !== size) throw damaged(answer, `it has ${total} bytes`, size);
}

function damaged(answer: Answer, what: string, size: number): HubError {
  return new HubError(`${answer.fail(`${what}, and ${size} bytes were announced`).message}`, { code: "damaged" });
}
