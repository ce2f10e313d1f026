// Workers that decode and shape pictures beside this thread, started when pictures come that are worth it.
import { WorkerPool } from "../async/worker_pool.ts";
import { FormatError, LimnerError } from "../errors/mod.ts";
import { decodeImage } from "./formats/decode_image.ts";
import type { ImageFile } from "./image_file.ts";
import type { ImageAnswer, ImageTask } from "./image_worker.ts";
import type { ProcessorSettings } from "./processor/processor_config.ts";
import { RawImage } from "./raw_image.ts";
import { ShapedImage } from "./processor/shape_image.ts";

/** How a file is decoded. */
export interface ImageTaskOptions {
  /** Shape the picture by these, where that costs no time of this thread. */
  readonly settings?: ProcessorSettings;
  /** How many pictures of this size are expected, this one included. @default 1 */
  readonly expected?: number;
  /** A file that is still in the queue when it comes is not decoded. */
  readonly signal?: AbortSignal;
}

/** The pixels whose decoding takes longer than a worker takes to start. */
const worthStarting = 4e6;

/** Decodes pictures in workers, which it starts when pictures come that are worth it. */
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
      lost: ({ file }, why) => new LimnerError(`Could not decode picture ${file.name}: ${why}`),
    }, most);
  }

  /** How many files are decoded at a time; 0 where this thread decodes. */
  get most(): number {
    return this.#pool.most;
  }

  /** How many workers run. */
  get running(): number {
    return this.#pool.running;
  }

  /**
   * Decode a file, whose bytes are moved away if they are the reader's own.
   *
   * @returns The picture upright, and shaped if a worker could do it.
   * @throws {FormatError} If the file is damaged.
   */
  decode(file: ImageFile, { settings, expected = 1, signal }: ImageTaskOptions = {}): Promise<RawImage> {
    const pixels = file.header.width * file.header.height * expected;
    return this.#pool.run({ file, settings }, { another: pixels >= worthStarting * (this.running + 1), signal });
  }

  /** End the workers; files that are not decoded yet are given up. */
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
