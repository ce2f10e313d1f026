// A model's files under a web address, kept in the browser's Cache API: the second time they need no network. That a file is absent is
// kept too, since a model is found by asking for files that it may not have. Where `files.json` lists those there are, no others are
// asked for.
import type { ByteSource, DownloadProgress, Repository } from "@limner/limner";

/** The name of the cache. */
export const modelCache = "limner-models";

/** The bytes of a kept file, which stay on the disk until they are read. */
class BlobSource implements ByteSource {
  readonly size: number;

  constructor(readonly name: string, private readonly blob: Blob) {
    this.size = blob.size;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
    if (bytes.length === length) return bytes;
    throw new RangeError(`Cannot read ${length} bytes at ${offset} of ${this.name}: the file has ${this.size} bytes`);
  }
}

/** A model under a web address. */
export class ModelFiles implements Repository {
  readonly name: string;
  #listed: Promise<string[] | undefined> | undefined;

  /**
   * @param base The address under which the files lie.
   * @param onProgress Called while a file is fetched.
   */
  constructor(private readonly base: URL, private readonly onProgress: (progress: DownloadProgress) => void) {
    this.name = base.href;
  }

  async open(file: string): Promise<ByteSource | undefined> {
    const blob = await this.#blob(file);
    return blob && new BlobSource(this.base + file, blob);
  }

  async readText(file: string): Promise<string | undefined> {
    return await (await this.#blob(file))?.text();
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const blob = await this.#blob(file);
    return blob && new Uint8Array(await blob.arrayBuffer());
  }

  async #blob(file: string): Promise<Blob | undefined> {
    this.#listed ??= this.#fetched("files.json").then(async (list) => list && JSON.parse(await list.text()));
    const listed = await this.#listed;
    return listed && !listed.includes(file) ? undefined : await this.#fetched(file);
  }

  async #fetched(file: string): Promise<Blob | undefined> {
    const url = new URL(file, this.base);
    const cache = await caches.open(modelCache);
    const kept = await cache.match(url);
    if (kept) return kept.ok ? await kept.blob() : undefined;
    const response = await fetch(url);
    if (response.status === 404) {
      await response.body?.cancel();
      await cache.put(url, new Response(null, { status: 404 }));
      return undefined;
    }
    if (!response.ok) throw new TypeError(`Cannot fetch ${url}: the server answered ${response.status}`);
    const blob = await new Response(this.#counted(file, response)).blob();
    await cache.put(url, new Response(blob));
    return blob;
  }

  /** A response's body, with progress as it arrives. */
  #counted(file: string, { body, headers }: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
    const total = headers.has("content-encoding") ? undefined : Number(headers.get("content-length")) || undefined;
    let done = 0;
    return body!.pipeThrough(
      new TransformStream({
        transform: (chunk, controller) => {
          done += chunk.length;
          this.onProgress({ stage: "downloading", file, done, total });
          controller.enqueue(chunk);
        },
      }),
    );
  }
}
