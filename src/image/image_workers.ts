// Workers that decode pictures and apply a processor's geometry in other threads, started when there is enough work.
import { WorkerPool } from "../async/worker_pool.ts";
import { FormatError, LimnerError } from "../errors/mod.ts";
import { decodeImage } from "./formats/decode_image.ts";
import type { ImageFile } from "./image_file.ts";
import type { ImageAnswer, ImageTask } from "./image_worker.ts";
import type { ProcessorSettings } from "./processor/processor_settings.ts";
import { RawImage } from "./raw_image.ts";
import { ShapedImage } from "./processor/shape_image.ts";

/** How a file is decoded. */
export interface ImageTaskOptions {
  /** Apply this processor's geometry too, if a worker decodes the picture. */
  readonly settings?: ProcessorSettings;
  /** How many pictures of this size are expected, this one included. @default 1 */
  readonly expected?: number;
  /** A file that is still in the queue when this is aborted is not decoded. */
  readonly signal?: AbortSignal;
}

/** The number of pixels whose decoding takes longer than starting a worker. */
const worthStarting = 4e6;

/** Decodes pictures in workers, which it starts when there is enough work. */
export class ImageWorkers implements Disposable {
  readonly #pool: WorkerPool<ImageTask, ImageAnswer, RawImage>;

  /**
   * @param most How many workers run at a time.
   * @default most one for each core of the machine up to 8; none where there is one core, or where a worker cannot run
   */
  constructor(most?: number) {
    this.#pool = new WorkerPool({
      script: new URL("./image_worker.ts", import.meta.url),
      transfer: ({ file }) => file.own ? [file.bytes.buffer as ArrayBuffer] : [],
      receive,
      here: ({ file }) => decodeImage(file),
      lost: ({ file }, why) => new LimnerError(`Cannot decode picture ${file.name}: ${why}`),
    }, most);
  }

  /** How many files are decoded at a time; 0 if this thread decodes them. */
  get most(): number {
    return this.#pool.most;
  }

  /** How many workers run. */
  get running(): number {
    return this.#pool.running;
  }

  /**
   * Decode a file. Its bytes are transferred to the worker if they belong to the reader.
   *
   * @returns The picture upright, with the processor's geometry applied if a worker decoded it.
   * @throws {FormatError} If the file is damaged.
   */
  decode(file: ImageFile, { settings, expected = 1, signal }: ImageTaskOptions = {}): Promise<RawImage> {
    const pixels = file.header.width * file.header.height * expected;
    return this.#pool.run({ file, settings }, { another: pixels >= worthStarting * (this.running + 1), signal });
  }

  /** End the workers; files that are not decoded yet are dropped. */
  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
  }
}

function receive({ file, settings }: ImageTask, answer: ImageAnswer): RawImage {
  if ("fault" in answer) {
    const [name, message] = answer.fault;
    throw name === "FormatError" ? new FormatError(message, { file: file.name }) : new LimnerError(message);
  }
  const { pixels, shaped } = answer;
  return shaped && settings
    ? new ShapedImage(pixels, settings)
    : new RawImage(pixels.data, pixels.width, pixels.height, pixels.channels);
}
