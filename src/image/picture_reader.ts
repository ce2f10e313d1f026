// Pictures in their order, read and decoded ahead of those that are being worked on.
import { abortable } from "../async/abortable.ts";
import { readImageFile, type ReadImageOptions } from "./image_file.ts";
import { OptionError } from "../errors/mod.ts";
import type { ImageWorkers } from "./image_workers.ts";
import type { ProcessorSettings } from "./processor/processor_settings.ts";
import { RawImage } from "./raw_image.ts";
import type { ImageSource } from "./source_bytes.ts";

/** A picture to read. */
export interface Picture {
  readonly source: ImageSource | RawImage;
  /** What messages call it, if not as its source says. */
  readonly name?: string;
}

/** How pictures are read. */
export interface PictureReaderOptions
  extends Pick<ReadImageOptions, "allowPrivateAddresses" | "timeouts" | "maxPixels" | "page"> {
  /** How many are read before they are asked for; more are never in memory. */
  readonly ahead: number;
  /** What they are shaped by, where that costs no time of this thread. @default undefined they are left whole */
  readonly settings?: ProcessorSettings;
  /** Ends the waiting, and what has not begun. */
  readonly signal?: AbortSignal;
}

/** Reads pictures ahead. */
export class PictureReader {
  readonly #pictures: readonly Picture[];
  readonly #workers: ImageWorkers;
  readonly #signal: AbortSignal | undefined;
  readonly #reading: ReadImageOptions;
  #ahead = 0;
  #settings: ProcessorSettings | undefined;
  /** Pictures that nobody has taken, and the place of the first that is not begun. */
  #begun: Promise<RawImage>[] = [];
  #next = 0;

  constructor(
    pictures: readonly Picture[],
    workers: ImageWorkers,
    { ahead, settings, signal, ...reading }: PictureReaderOptions,
  ) {
    this.#pictures = pictures;
    this.#workers = workers;
    this.#signal = signal;
    this.#reading = reading;
    this.readAhead(ahead, settings);
  }

  /** Read so many pictures ahead from now on, and shape those that are not decoded yet. */
  readAhead(count: number, settings?: ProcessorSettings): void {
    this.#ahead = count;
    this.#settings = settings;
    this.#begin(count);
  }

  /**
   * The next pictures, after which others are begun.
   *
   * @throws {LimnerError} If one of them cannot be read; those after them can still be taken.
   * @throws The signal's reason, without waiting for what is slow to come.
   */
  async take(count: number): Promise<RawImage[]> {
    this.#signal?.throwIfAborted();
    this.#begin(count);
    try {
      return await abortable(Promise.all(this.#begun.splice(0, count)), this.#signal);
    } finally {
      this.#begin(this.#ahead);
    }
  }

  #begin(count: number): void {
    while (this.#begun.length < count && this.#next < this.#pictures.length) {
      const left = this.#pictures.length - this.#next;
      const reading = this.#read(this.#pictures[this.#next++], left);
      reading.catch(() => {}); // It is awaited in its turn.
      this.#begun.push(reading);
    }
  }

  async #read({ source, name }: Picture, expected: number): Promise<RawImage> {
    if (source instanceof RawImage) {
      if (this.#reading.page === undefined) return source;
      throw new OptionError(
        `Cannot read page ${this.#reading.page} of ${name ?? "a picture"}: it is a RawImage, expected a TIFF's file`,
      );
    }
    const signal = this.#signal;
    const file = await readImageFile(source, { ...this.#reading, name, signal });
    return await this.#workers.decode(file, { settings: this.#settings, expected, signal });
  }
}
