// Pictures without end, captioned in their order. Think of it as a belt: pictures are read and decoded ahead while there is
// room for them, and the model takes those at the front that are ready, several at once. A picture at fault is an answer
// like others; nothing else stops for it.
import type { Caption, CaptionOptions } from "../../captioner/caption_options.ts";
import type { Captioner } from "../../captioner/captioner.ts";
import { batchSize } from "../../captioner/picture_batches.ts";
import { DeviceLostError } from "../../errors/mod.ts";
import { readImageFile, type ReadImageOptions } from "../../image/image_file.ts";
import { ImageWorkers } from "../../image/image_workers.ts";
import type { ImageSource, RawImage } from "../../image/mod.ts";

/** A picture to caption. */
export interface CaptionJob<About> {
  /** What tells its answer from others. */
  readonly about: About;
  /** Its place among all that share a seed, from 0 on: what is drawn for it follows from the two. */
  readonly place: number;
  /** The picture; or why there is none. */
  readonly source: ImageSource | Error;
  /** What messages call it. */
  readonly name: string;
  /** Bytes of memory that it takes before it is read. */
  readonly bytes: number;
}

/** The answer to a picture. */
export type CaptionAnswer<About> =
  & { readonly about: About }
  & ({ readonly caption: Caption } | { readonly error: unknown });

/** How pictures are captioned. */
export interface CaptionJobsOptions extends Pick<ReadImageOptions, "allowPrivateAddresses"> {
  /** What is asked of each. */
  readonly request: CaptionOptions;
  /** Bytes of pictures that are read ahead, from which on no more are begun. @default 128 MiB */
  readonly mostBytes?: number;
}

/** How many pictures are read ahead, at most. */
const mostAhead = 4 * batchSize;

/** How many pictures more of a size are expected: so many that decoding them in other threads is worth it. */
const expected = 64;

/**
 * Caption pictures in the order they come.
 *
 * @param jobs The pictures; no more are asked for than there is room for.
 * @returns An answer for each, in the same order.
 * @throws {DeviceLostError} If the device is lost: no other picture could be read either.
 */
export async function* captionJobs<About>(
  captioner: Captioner,
  jobs: AsyncIterable<CaptionJob<About>>,
  options: CaptionJobsOptions,
): AsyncGenerator<CaptionAnswer<About>> {
  const { request } = options;
  // A batch has places that follow each other, and a picture at fault leaves a gap: each is drawn for by itself.
  const together = request.doSample ? 1 : batchSize;
  using belt = new Belt<About>(captioner, options);
  const filling = belt.fill(jobs);
  filling.catch(() => {}); // It is awaited below.
  for (;;) {
    const batch = await belt.take(together);
    if (batch.length === 0) break;
    yield* await answersOf(captioner, batch, request);
  }
  await filling;
}

/** A picture on the belt. */
interface Begun<About> {
  readonly about: About;
  readonly place: number;
  /** The picture, once it is read, or why it cannot be. */
  found: RawImage | { readonly error: unknown } | undefined;
  /** Bytes of memory that it takes. */
  bytes: number;
}

/** The pictures that are read ahead. */
class Belt<About> implements Disposable {
  readonly #workers = new ImageWorkers();
  readonly #captioner: Captioner;
  readonly #reading: ReadImageOptions;
  readonly #mostBytes: number;
  readonly #stop = new AbortController();
  #begun: Begun<About>[] = [];
  #bytes = 0;
  #ended = false;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(captioner: Captioner, { allowPrivateAddresses, mostBytes = 2 ** 27 }: CaptionJobsOptions) {
    this.#captioner = captioner;
    this.#reading = { allowPrivateAddresses, maxPixels: captioner.maxPixels, signal: this.#stop.signal };
    this.#mostBytes = mostBytes;
  }

  /** Read pictures while there is room, until there are no more. */
  async fill(jobs: AsyncIterable<CaptionJob<About>>): Promise<void> {
    try {
      for await (const job of jobs) {
        const read = this.#begin(job);
        // How much memory a file takes is known when it is read; one from the network is waited for beside others.
        if (!isRemote(job.source)) await read;
        while (!this.#stop.signal.aborted && (this.#bytes >= this.#mostBytes || this.#begun.length >= mostAhead)) {
          await this.#changed.promise;
        }
        if (this.#stop.signal.aborted) return;
      }
    } finally {
      this.#ended = true;
      this.#change();
    }
  }

  /** Those at the front that are ready, one at least; none once there are no more. */
  async take(most: number): Promise<Begun<About>[]> {
    while (!this.#begun[0]?.found) {
      if (this.#ended && this.#begun.length === 0) return [];
      await this.#changed.promise;
    }
    const unready = this.#begun.findIndex(({ found }) => !found);
    const taken = this.#begun.splice(0, Math.min(most, unready < 0 ? Infinity : unready));
    for (const { bytes } of taken) this.#bytes -= bytes;
    this.#change();
    return taken;
  }

  /** Put a picture on the belt. @returns When its file is read; it is decoded later. */
  async #begin({ about, place, source, name, bytes }: CaptionJob<About>): Promise<void> {
    const found = source instanceof Error ? { error: source } : undefined;
    const begun: Begun<About> = { about, place, found, bytes };
    this.#begun.push(begun);
    this.#bytes += bytes;
    if (source instanceof Error) return this.#change();
    const finish = (found: Begun<About>["found"], bytes: number) => {
      begun.found = found;
      this.#weigh(begun, bytes);
      this.#change();
    };
    try {
      const file = await readImageFile(source, { ...this.#reading, name });
      this.#weigh(begun, file.bytes.length + 4 * file.header.width * file.header.height);
      const { settings } = this.#captioner.processor;
      this.#workers.decode(file, { settings, expected, signal: this.#stop.signal })
        .then((image) => finish(image, image.data.byteLength), (error) => finish({ error }, 0));
    } catch (error) {
      finish({ error }, 0);
    }
  }

  /** Count a picture's bytes anew, if it is still on the belt. */
  #weigh(begun: Begun<About>, bytes: number): void {
    if (this.#begun.includes(begun)) this.#bytes += bytes - begun.bytes;
    begun.bytes = bytes;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#change();
    this.#workers[Symbol.dispose]();
  }
}

function isRemote(source: CaptionJob<unknown>["source"]): boolean {
  return source instanceof URL && source.protocol !== "file:";
}

/** The answers to pictures that are ready: of one run of the model, or where that fails of a run each. */
async function answersOf<About>(
  captioner: Captioner,
  batch: readonly Begun<About>[],
  request: CaptionOptions,
): Promise<CaptionAnswer<About>[]> {
  const pictures = batch.flatMap(({ found, place }) => "error" in found! ? [] : { image: found!, place });
  const captions = await captionsOf(captioner, pictures, request);
  return batch.map(({ about, found }) => ({ about, ...("error" in found! ? found : captions.shift()!) }));
}

async function captionsOf(
  captioner: Captioner,
  pictures: readonly { readonly image: RawImage; readonly place: number }[],
  request: CaptionOptions,
): Promise<({ caption: Caption } | { error: unknown })[]> {
  if (pictures.length === 0) return [];
  const images = pictures.map(({ image }) => image);
  try {
    return (await captioner.captions(images, { ...request, firstPicture: pictures[0].place })).map(([caption]) => ({
      caption,
    }));
  } catch (error) {
    if (error instanceof DeviceLostError) throw error;
    if (pictures.length === 1) return [{ error }];
    const alone: ({ caption: Caption } | { error: unknown })[] = [];
    for (const picture of pictures) alone.push(...await captionsOf(captioner, [picture], request));
    return alone;
  }
}
