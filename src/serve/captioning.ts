// From a picture's file to its caption: decoded beside the model, written by the scheduler, read as `captions` reads it.
import type { Caption, CaptionerParts } from "../captioner/caption_options.ts";
import { endsOf, promptedOptions, startOf } from "../captioner/prompted_options.ts";
import { TextStreamer } from "../captioner/text_streamer.ts";
import { captionOf, captionTextOf } from "../captioner/caption_text.ts";
import { ImageWorkers } from "../image/image_workers.ts";
import { readImageFile } from "../image/image_file.ts";
import type { Tensor } from "../tensor/mod.ts";
import { HttpError } from "./http_error.ts";
import type { Metrics } from "./metrics.ts";
import type { TextOptions } from "./requests/text_options.ts";
import type { JobScheduler, JobTimes } from "./scheduler/job.ts";

/** What a text is made with, beside the model's weights, which may be in another thread. */
export interface ServedParts extends Pick<CaptionerParts, "processor" | "tokenizer"> {
  readonly model: Pick<CaptionerParts["model"], "generationConfig">;
  readonly maxPixels: number;
}

/** A picture whose caption is wanted. */
export interface CaptionTask {
  /** The picture's file. */
  readonly picture: Uint8Array;
  readonly options: TextOptions;
  /** Whose it is. */
  readonly caller: string;
  /** Gives it up. */
  readonly signal: AbortSignal;
  /** Is told of pieces of the text as they are decided. Beams, which are decided at the end, are then not searched. */
  readonly onText?: (piece: string) => void;
}

/** A caption, and how long its parts took in milliseconds. */
export interface ServedCaption {
  readonly caption: Caption;
  /** Tokens that the text began with. */
  readonly promptTokens: number;
  readonly times: JobTimes & { readonly read: number };
  /** As `JobResult` has it. */
  readonly margin?: number;
}

/** Captions pictures for many. */
export class Captioning implements Disposable {
  readonly #workers = new ImageWorkers();
  /** Pictures that are being decoded. */
  #decoding = 0;

  /** @param options.maxPixels The most pixels of a picture. @default the captioner's */
  constructor(
    readonly captioner: ServedParts,
    readonly scheduler: JobScheduler,
    readonly options: { readonly maxPixels?: number; readonly metrics: Metrics },
  ) {}

  /**
   * Caption a picture.
   *
   * @throws {HttpError} 413 if it has too many pixels, 400 if a stream asks for beams, 429 if too many wait.
   * @throws {LimnerError} As `captions` does.
   */
  async caption({ picture, options, caller, signal, onText }: CaptionTask): Promise<ServedCaption> {
    const { captioner } = this;
    const began = performance.now();
    if (onText && (options.numBeams ?? 1) > 1) {
      throw new HttpError(400, "invalid_option", "The option numBeams excludes a stream: beams are decided at the end");
    }
    const { skipSpecialTokens, worded, ...rest } = promptedOptions(captioner, options);
    const pixelValues = await this.#pixels(picture, options.page, signal);
    const read = performance.now() - began;
    const ends = endsOf(captioner, {});
    const prompt = worded || !skipSpecialTokens ? [] : startOf(captioner);
    const stream = onText && new TextStreamer(captioner.tokenizer, onText, { prompt, skipSpecialTokens });
    const { output, times, margin } = await this.scheduler.run({
      pixelValues,
      options: { ...(onText && { numBeams: 1 }), numReturnSequences: 1, ...rest },
      caller,
      signal,
      onTokens: stream &&
        ((tokens) => stream.put([skipSpecialTokens ? tokens : tokens.filter((id) => !ends.includes(id))])),
    });
    stream?.end();
    const reading = { tokenizer: captioner.tokenizer, worded, ends, skipSpecialTokens };
    const caption = captionOf(captionTextOf(output, 0, reading), reading);
    for (const [part, milliseconds] of Object.entries({ read, ...times })) {
      this.options.metrics.observe("limner_part_seconds", { part }, milliseconds);
    }
    return { caption, promptTokens: output.promptLengths[0], times: { read, ...times }, margin };
  }

  async #pixels(picture: Uint8Array, page: number | undefined, signal: AbortSignal): Promise<Tensor> {
    const { processor, maxPixels: ofCaptioner } = this.captioner;
    const name = "(the request's picture)";
    const file = await readImageFile(picture, { name, page, maxPixels: Infinity, signal });
    const { width, height } = file.header;
    const most = this.options.maxPixels ?? ofCaptioner;
    if (width * height > most) {
      const message = `The picture's header says ${width} x ${height}, and at most ${most} pixels are read`;
      throw new HttpError(413, "too_many_pixels", message);
    }
    const expected = ++this.#decoding;
    try {
      const image = await this.#workers.decode(file, { settings: processor.settings, expected, signal });
      signal.throwIfAborted();
      return processor(image).pixelValues;
    } finally {
      this.#decoding--;
    }
  }

  /** End the workers that decode. */
  [Symbol.dispose](): void {
    this.#workers[Symbol.dispose]();
  }
}
