// A large file by parallel range requests. Think of the file as a list of pieces of 1 MiB: each connection takes the next
// segment of up to 16 missing pieces, and each piece is written to the partial file as it arrives. Hashing needs the bytes in
// order, so it reads the pieces back from the partial file, up to the first one that is still missing.
import { HubError } from "../../errors/mod.ts";
import { ContentHash } from "./content_hash.ts";
import type { HubClient } from "../hub_client.ts";
import { PartialFile, pieceBytes } from "./partial_file.ts";
import type { Answer } from "../network/request.ts";
import { withoutSecrets } from "../network/without_secrets.ts";
import { type RetryPolicy, withRetries } from "../network/retry.ts";

/** A file of the Hub that is to be downloaded. */
export interface RemoteBlob {
  readonly url: URL;
  readonly etag: string;
  readonly size: number;
}

/** How it is downloaded. */
export interface RangeOptions {
  readonly signal?: AbortSignal;
  readonly retryPolicy?: RetryPolicy;
  /** Called with the number of bytes that have arrived. */
  readonly onBytes?: (done: number) => void;
}

const connections = 8;
/** The most pieces that a request asks for: 16 MiB. */
const piecesPerSegment = 16;

/**
 * Download a file's missing pieces, and give the file its name if its content has the hash that its etag is.
 *
 * @param partialPath The partial file; one that exists is continued.
 * @param path The path of the whole file.
 * @throws {HubError} If the file cannot be fetched, or is not what was announced.
 */
export async function downloadRanges(
  client: HubClient,
  blob: RemoteBlob,
  partialPath: string,
  path: string,
  options: RangeOptions,
): Promise<void> {
  using partial = await PartialFile.open(partialPath, blob.size);
  const resumed = partial.done > 0;
  // HTTP/2 would send all ranges through one connection.
  using http = Deno.createHttpClient({ http2: false, poolMaxIdlePerHost: connections });
  let problem = await new RangedDownload(client, blob, partial, http, options).run();
  // A crash can have lost bytes of the partial file that its journal counts, so it is downloaded once more from the start.
  if (problem && resumed) {
    await partial.clear();
    problem = await new RangedDownload(client, blob, partial, http, options).run();
  }
  if (problem) {
    await partial.remove();
    throw new HubError(`Cannot fetch ${withoutSecrets(blob.url)}: ${problem}`, { code: "damaged" });
  }
  await partial.appear(path);
}

class RangedDownload {
  /** The first piece that no connection has taken. */
  #next = 0;
  /** How many pieces are hashed, which are the first ones. */
  #hashed = 0;
  readonly #hash: ContentHash;
  readonly #scratch = new Uint8Array(pieceBytes);
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    private readonly client: HubClient,
    private readonly blob: RemoteBlob,
    private readonly partial: PartialFile,
    private readonly http: Deno.HttpClient,
    private readonly options: RangeOptions,
  ) {
    this.#hash = new ContentHash(blob.etag, blob.size);
    const { signal } = this.#stop;
    this.#signal = options.signal ? AbortSignal.any([options.signal, signal]) : signal;
  }

  /** Fetch what is missing. @returns What is wrong with the content as a whole; undefined if nothing is. */
  async run(): Promise<string | undefined> {
    this.options.onBytes?.(this.partial.done);
    // The other connections wait until the first has an answer, since a server may send whole files only.
    const { promise: ranged, resolve } = Promise.withResolvers<boolean>();
    const workers = Array.from({ length: connections }, async (_, n) => {
      if (n === 0 || await ranged) await this.#runConnection((answer) => resolve(answer.status === 206));
      resolve(false); // if nothing was missing, there was no answer
    });
    try {
      await Promise.all(workers.map((worker) => worker.catch((error) => this.#abortAll(error, resolve))));
    } finally {
      await Promise.allSettled(workers);
    }
    while (this.#hashed < this.partial.pieces) {
      this.#hashReady();
      await new Promise((resolve) => setTimeout(resolve)); // so that an abort is noticed in between
      this.options.signal?.throwIfAborted();
    }
    return this.#hash.problem();
  }

  /** End all connections because one has failed. */
  #abortAll(error: unknown, resolve: (ranged: boolean) => void): never {
    this.#stop.abort(error);
    resolve(false);
    throw error;
  }

  async #runConnection(onAnswer: (answer: Answer) => void): Promise<void> {
    const buffer = new Uint8Array(pieceBytes);
    for (let segment = this.#takeSegment(); segment; segment = this.#takeSegment()) {
      const [from, end] = segment;
      let before = this.partial.done;
      await withRetries({ ...this.options, signal: this.#signal }, async () => {
        before = this.partial.done;
        for (let piece = from; piece < end; piece++) {
          if (!this.partial.has(piece)) return await this.#fetch(piece, end, buffer, onAnswer);
        }
      }, () => this.partial.done > before);
    }
  }

  /** The next missing pieces without a gap: the first, and the one after the last. */
  #takeSegment(): [from: number, end: number] | undefined {
    const { partial } = this;
    while (this.#next < partial.pieces && partial.has(this.#next)) this.#next++;
    const from = this.#next;
    const most = Math.min(partial.pieces, from + piecesPerSegment);
    while (this.#next < most && !partial.has(this.#next)) this.#next++;
    return this.#next > from ? [from, this.#next] : undefined;
  }

  /** Fetch the pieces `from` to `end`, or all of them if the server answers with the whole file. */
  async #fetch(
    from: number,
    end: number,
    buffer: Uint8Array<ArrayBuffer>,
    onAnswer: (answer: Answer) => void,
  ): Promise<void> {
    const { partial, blob } = this;
    const last = Math.min(blob.size, end * pieceBytes) - 1;
    const range = [from * pieceBytes, last] as const;
    using answer = await this.client.openRange(blob.url, range, { http: this.http, signal: this.#signal });
    onAnswer(answer);
    checkRange(answer, range, blob.size);
    let piece = answer.status === 206 ? from : 0;
    const stop = answer.status === 206 ? end : partial.pieces;
    let filled = 0;
    for await (let chunk of answer.body) {
      while (chunk.length > 0 && piece < stop) {
        const length = Math.min(pieceBytes, blob.size - piece * pieceBytes);
        const part = chunk.subarray(0, length - filled);
        buffer.set(part, filled);
        chunk = chunk.subarray(part.length);
        filled += part.length;
        if (filled < length) continue;
        await this.#store(piece++, buffer.subarray(0, length));
        filled = 0;
      }
      if (piece === stop) return;
    }
    const missing = Math.min(blob.size, stop * pieceBytes) - piece * pieceBytes - filled;
    throw answer.fail(`the connection ended ${missing} bytes early`, new Error("truncated"));
  }

  async #store(piece: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.partial.has(piece)) await this.partial.write(piece, bytes);
    this.options.onBytes?.(this.partial.done);
    this.#hashReady();
  }

  /** Hash the next pieces, if they have arrived; only a few in one call, since it blocks. */
  #hashReady(): void {
    for (let n = 0; n < 4 && this.#hashed < this.partial.pieces && this.partial.has(this.#hashed); n++) {
      this.#hash.update(this.partial.readSync(this.#hashed++, this.#scratch));
    }
  }
}

/** Check that an answer is the range that was asked for, of a file as long as was announced. */
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
