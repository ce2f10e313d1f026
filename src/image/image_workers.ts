// Workers that decode and shape pictures beside this thread. Think of a counter with a queue: whoever is free takes the
// next file, more open as files wait, and all close when none has come for a while, for an open one keeps the process
// alive. Where no worker can run, this thread does the work.
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

interface Task extends Omit<ImageTaskOptions, "expected"> {
  readonly file: ImageFile;
  resolve(image: RawImage | Promise<RawImage>): void;
  reject(error: unknown): void;
}

/** More than these would rather wait for memory than compute, and each may hold a picture. */
const mostWorkers = 8;

/** The pixels whose decoding takes longer than a worker takes to start. */
const worthStarting = 4e6;

/** How long workers wait for another file, in milliseconds. */
const patience = 500;

const script = new URL("./image_worker.ts", import.meta.url);

/** Decodes pictures in workers, which it starts when pictures come that are worth it. */
export class ImageWorkers implements Disposable {
  #most: number;
  /** Workers that start or work, with their task. */
  readonly #busy: Map<Worker, Task | undefined> = new Map();
  readonly #free: Worker[] = [];
  #waiting: Task[] = [];
  #closing: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param most How many workers run at a time.
   * @default most one for each core of the machine up to 8; none where there is one core, or where a worker cannot run
   */
  constructor(most: number = mostHere()) {
    this.#most = most;
  }

  /** How many files are decoded at a time; 0 where this thread decodes. */
  get most(): number {
    return this.#most;
  }

  /** How many workers run. */
  get running(): number {
    return this.#busy.size + this.#free.length;
  }

  /**
   * Decode a file, whose bytes are moved away if they are the reader's own.
   *
   * @returns The picture upright, and shaped if a worker could do it.
   * @throws {FormatError} If the file is damaged.
   */
  decode(file: ImageFile, { settings, expected = 1, signal }: ImageTaskOptions = {}): Promise<RawImage> {
    const pixels = file.header.width * file.header.height * expected;
    const another = this.running < this.#most && pixels >= worthStarting * (this.running + 1);
    if (this.running === 0 && !another) return decodeImage(file);
    clearTimeout(this.#closing);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ file, settings, signal, resolve, reject });
      const worker = this.#free.pop();
      if (worker) this.#next(worker);
      else if (another) this.#start();
    });
  }

  #start(): void {
    const worker = new Worker(script, { type: "module" });
    this.#busy.set(worker, undefined);
    worker.onmessage = ({ data }: MessageEvent<ImageAnswer>) => {
      const task = this.#busy.get(worker);
      if (task && data !== "ready") finish(task, data);
      this.#next(worker);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(worker, event.message);
    };
  }

  /** Give a worker the next file of the queue. */
  #next(worker: Worker): void {
    const task = this.#waiting.shift();
    if (task?.signal?.aborted) {
      task.reject(task.signal.reason);
      return this.#next(worker);
    }
    if (task) {
      const { file, settings } = task;
      this.#busy.set(worker, task);
      worker.postMessage({ file, settings } satisfies ImageTask, file.own ? [file.bytes.buffer as ArrayBuffer] : []);
      return;
    }
    this.#busy.delete(worker);
    this.#free.push(worker);
    this.#rest();
  }

  #rest(): void {
    if (this.#busy.size === 0) this.#closing = setTimeout(() => this.#close(), patience);
  }

  /** A worker has failed: one that had not begun will not begin another time either. */
  #lose(worker: Worker, message: string): void {
    const task = this.#busy.get(worker);
    worker.terminate();
    this.#busy.delete(worker);
    if (task) task.reject(new LimnerError(`Could not decode picture ${task.file.name}: its worker failed: ${message}`));
    else this.#most = 0;
    if (this.running > 0) return this.#rest();
    for (const { file, resolve } of this.#waiting.splice(0)) resolve(decodeImage(file));
  }

  #close(): void {
    clearTimeout(this.#closing);
    for (const worker of [...this.#free.splice(0), ...this.#busy.keys()]) worker.terminate();
    this.#busy.clear();
  }

  /** End the workers; files that are not decoded yet are given up. */
  [Symbol.dispose](): void {
    const given = [...this.#busy.values(), ...this.#waiting.splice(0)];
    this.#close();
    for (const task of given) {
      task?.reject(new LimnerError(`Could not decode picture ${task.file.name}: what would take it has been released`));
    }
  }
}

function finish({ file, settings, resolve, reject }: Task, answer: Exclude<ImageAnswer, "ready">): void {
  if ("fault" in answer) {
    const [name, message] = answer.fault;
    return reject(name === "FormatError" ? new FormatError(message, { file: file.name }) : new LimnerError(message));
  }
  const { pixels, shaped } = answer;
  resolve(
    shaped && settings
      ? new ShapedImage(pixels, settings)
      : new RawImage(pixels.data, pixels.width, pixels.height, pixels.channels),
  );
}

/** A worker's module is read as any file is, if it is one. */
function mostHere(): number {
  const cores = navigator.hardwareConcurrency;
  if (typeof Worker === "undefined" || cores < 2) return 0;
  const refused = script.protocol === "file:" &&
    Deno.permissions.querySync({ name: "read", path: script }).state !== "granted";
  return refused ? 0 : Math.min(mostWorkers, cores);
}
