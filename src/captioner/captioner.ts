// The short way: a picture in, its text out. A model with its image processor and its tokenizer.
import type {
  Caption,
  CaptionerLoadOptions,
  CaptionerParts,
  CaptionOptions,
  DocumentOptions,
  PromptedOptions,
  StreamOptions,
} from "./caption_options.ts";
import { HubError, OptionError } from "../errors/mod.ts";
import type { Document } from "./document.ts";
import type { GenerateOptions, Streamer } from "../generation/mod.ts";
import { Channel } from "../async/channel.ts";
import { openRepository, type Repository } from "../hub/mod.ts";
import { ImageWorkers } from "../image/image_workers.ts";
import { AutoImageProcessor, type ImageProcessor, type RawImage } from "../image/mod.ts";
import { defaultLimits, resolveLimits } from "../limits/mod.ts";
import { checkLoadOptions } from "../model/load_options.ts";
import { architectureOf } from "../models/mod.ts";
import { batchOptionsOf, batchSize, type ImageInput, picturesOf } from "./picture_batches.ts";
import { PictureReader } from "../image/picture_reader.ts";
import type { SaveAndPushOptions } from "../model/push_model.ts";
import { beginningOf, endsOf, promptedOptions } from "./prompted_options.ts";
import { promptOfTask } from "./task_prompt.ts";
import { TextStreamer } from "./text_streamer.ts";
import { AutoTokenizer, type Tokenizer } from "../tokenizer/mod.ts";
import { VisionEncoderDecoderModel } from "../model/vision_encoder_decoder_model.ts";
import { captionOf, type CaptionText, captionTextOf } from "./caption_text.ts";

/** The model that comes with Limner: it reads one line of printed text. */
export const embeddedModel: URL = new URL("../../assets/model/", import.meta.url);

/** A part that is being loaded; of one that is not there the message says that it can be taken from elsewhere. */
async function partOf<T>(part: string, loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    if (!(error instanceof HubError) || !error.message.includes("it has no ")) throw error;
    const message = `${error.message}; give ${part} where another has it, such as the model that it was trained from`;
    throw new HubError(message, { cause: error });
  }
}

/**
 * Turns pictures into text.
 *
 * @example
 * ```ts
 * import { Captioner, RawImage } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load(undefined, { backend: "reference" });
 * const white = new RawImage(new Uint8Array(3 * 64 * 8).fill(255), 64, 8, 3);
 * assertEquals(typeof await captioner.caption(white, { maxNewTokens: 3 }), "string");
 * ```
 */
export class Captioner implements AsyncDisposable {
  readonly #workers = new ImageWorkers();

  /** The model. */
  readonly model: VisionEncoderDecoderModel;
  /** Turns pictures into what the model takes. */
  readonly processor: ImageProcessor;
  /** Turns tokens into text, and prompts into tokens. */
  readonly tokenizer: Tokenizer;
  /** The most pixels a picture may have. */
  readonly maxPixels: number;
  /** How pictures under addresses are read. */
  readonly #reading: Pick<CaptionerParts, "allowPrivateAddresses" | "timeouts">;

  /**
   * Make a captioner of parts.
   *
   * @throws {OptionError} If one is missing.
   */
  constructor({ model, tokenizer, processor, maxPixels = defaultLimits.maxPixels, ...reading }: CaptionerParts) {
    for (const [part, given] of Object.entries({ model, tokenizer, processor })) {
      if (given) continue;
      throw new OptionError(
        `Cannot make a captioner: ${part} is missing; it is made of { model, tokenizer, processor }`,
      );
    }
    [this.model, this.processor, this.tokenizer, this.maxPixels] = [model, processor, tokenizer, maxPixels];
    this.#reading = reading;
  }

  /**
   * Load a model, its image processor and its tokenizer.
   *
   * @param source A folder in Hugging Face's layout, its web address, or a model's name on the Hub. @default the embedded
   * model, which reads one line of printed text
   * @param given.tokenizer Where the tokenizer is, if not with the model.
   * @param given.processor Where the image processor is, if not with the model.
   * @throws {LimnerError} As VisionEncoderDecoderModel.fromPretrained, AutoImageProcessor and AutoTokenizer do.
   */
  static async load(
    source: string | URL | Repository = embeddedModel,
    given: CaptionerLoadOptions = {},
  ): Promise<Captioner> {
    checkLoadOptions(given, ["tokenizer", "processor", "maxPixels", "allowPrivateAddresses"]);
    const { tokenizer: words, processor: shape, maxPixels, allowPrivateAddresses, ...rest } = given;
    const limits = resolveLimits(rest.limits);
    const options = { ...rest, limits };
    // The three read one repository: of one commit, and each file once. A part from elsewhere has revisions of its own.
    const repository = await openRepository(source, options);
    const elsewhere = { ...options, revision: undefined };
    const model = VisionEncoderDecoderModel.fromPretrained(repository, options);
    model.catch(() => {}); // It is awaited below, when the other two are there.
    try {
      const [processor, tokenizer] = await Promise.all([
        partOf("processor", AutoImageProcessor.fromPretrained(shape ?? repository, elsewhere)),
        partOf("tokenizer", AutoTokenizer.fromPretrained(words ?? repository, elsewhere)),
      ]);
      const { timeouts } = options;
      const reading = { maxPixels: maxPixels ?? limits.maxPixels, allowPrivateAddresses, timeouts };
      return new Captioner({ model: await model, processor, tokenizer, ...reading });
    } catch (error) {
      // The model's own fault comes first; a model that did load is released.
      await (await model)[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Write the text of a picture.
   *
   * @param options.prompt What the text begins with, in words; it is not repeated.
   * @param options.page Which page of a TIFF is read, from 1 on.
   * @param options.decoderInputIds A prompt for each picture, or one for all, as tokens.
   * @throws {LimnerError} If the picture cannot be read, or as `generate` does.
   */
  caption(image: ImageInput, options?: CaptionOptions): Promise<string>;
  /** Write the texts of pictures, in their order; one that cannot be read fails the call. */
  caption(images: readonly ImageInput[], options?: CaptionOptions): Promise<string[]>;
  async caption(
    images: ImageInput | readonly ImageInput[],
    options: CaptionOptions = {},
  ): Promise<string | string[]> {
    if ((options.numReturnSequences ?? 1) > 1) {
      throw new OptionError(
        `Cannot caption with numReturnSequences = ${options.numReturnSequences}: caption() gives one text a picture, ` +
          `captions() gives all`,
      );
    }
    const all = await this.#write(Array.isArray(images) ? images : [images], { ...options, numReturnSequences: 1 });
    const texts = all.map(([{ text }]) => text);
    return Array.isArray(images) ? texts : texts[0];
  }

  /**
   * Write all texts of a picture with what is known of them: `numReturnSequences` of them, the best first where beams
   * were searched. How sure the model was of each, of its words and of its tokens; with `outputAttentions`, where it
   * looked.
   */
  captions(image: ImageInput, options?: CaptionOptions): Promise<Caption[]>;
  /** Write all texts of each picture, in their order. */
  captions(images: readonly ImageInput[], options?: CaptionOptions): Promise<Caption[][]>;
  async captions(
    images: ImageInput | readonly ImageInput[],
    options: CaptionOptions = {},
  ): Promise<Caption[] | Caption[][]> {
    const asked = { ...options, outputConfidences: true };
    const all = await this.#write(Array.isArray(images) ? images : [images], asked);
    const captions = all.map((texts) => texts.map((written) => this.#captionOf(written, options)));
    return Array.isArray(images) ? captions : captions[0];
  }

  /** What the model writes of each picture. */
  async #write(
    images: readonly ImageInput[],
    options: CaptionOptions & Pick<GenerateOptions, "outputConfidences">,
  ): Promise<CaptionText[][]> {
    const prompted = promptedOptions(this, options);
    const ofBatch = batchOptionsOf(images.length, prompted);
    if (options.streamer && images.length > batchSize) {
      throw new OptionError(`Cannot stream ${images.length} pictures: a streamer takes ${batchSize} at most`);
    }
    const all: CaptionText[][] = [];
    const reader = this.#reader(images, options);
    for (let at = 0; at < images.length; at += batchSize) {
      all.push(...await this.#writeBatch(await reader.take(batchSize), { ...prompted, ...ofBatch(at) }));
    }
    return all;
  }

  /**
   * Write the text of a picture as it is decided, without beams, which are decided at the end only. The generation goes
   * on as the loop asks for more; leaving the loop stops it.
   *
   * @param options.wholeWords Whether a piece ends where a word does. @default false
   * @returns Pieces of text, never half a character, which join to the text of `caption`; the iterator's return value is
   * the caption.
   */
  async *stream(image: ImageInput, options: StreamOptions = {}): AsyncGenerator<string, Caption> {
    const { wholeWords, ...asCaption } = options;
    const prompted = promptedOptions(this, asCaption);
    const { streamer: other, decoderInputIds: _, ...rest } = prompted;
    const own = batchOptionsOf(1, prompted)(0);
    const { skipSpecialTokens } = rest;
    const ends = endsOf(this, options);
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const images = await this.#reader([image], { ...options, signal }).take(1);
    const pieces = new Channel<string>();
    const text = new TextStreamer(this.tokenizer, (piece) => pieces.put(piece), {
      wholeWords,
      prompt: rest.worded || !skipSpecialTokens ? [] : beginningOf(this.model, { ...rest, ...own }),
      skipSpecialTokens,
    });
    const streamer: Streamer = {
      put: async (tokens) => {
        const written = skipSpecialTokens ? tokens : tokens.map((row) => row.filter((id) => !ends.includes(id)));
        await Promise.all([text.put(written), other?.put(tokens)]);
      },
      end: async () => void await Promise.all([text.end(), other?.end()]),
    };
    // Beams are decided at the end only: where the model's settings ask for them, a stream does without.
    const one = { numBeams: 1, numReturnSequences: 1 };
    const asked = { ...one, ...rest, ...own, outputConfidences: true, signal, streamer };
    const generating = this.#writeBatch(images, asked);
    generating.then(() => pieces.end(), (error) => pieces.end(error));
    try {
      yield* pieces;
      return this.#captionOf((await generating)[0][0], options);
    } finally {
      stop.abort();
      await generating.catch(() => {});
    }
  }

  /**
   * Read a document: a receipt, a form, a page. Donut's answer is an object of its fields, Nougat's `{ text }`, Markdown,
   * mended as Python's post_process_generation does: pages join to one text.
   *
   * @param options.task The task, such as `cord-v2`, for a model with several. @default the model's own
   * @param options.question A question, for a model of DocVQA.
   * @param options.fixMarkdown Whether Nougat's formulas and addresses are spelt as Markdown has them. @default true
   * @throws {OptionError} If the model has no such task, or writes no Markdown.
   * @throws {LimnerError} As `caption` does.
   */
  async document(image: ImageInput, options: DocumentOptions = {}): Promise<Document> {
    const { task: _, question: __, fixMarkdown, ...rest } = options;
    const { checkDocumentOptions, documentOf } = await import("./document.ts");
    checkDocumentOptions(this.processor.settings.type, { fixMarkdown });
    const prompt = promptOfTask(this.tokenizer, options);
    const [[{ ids }]] = await this.#write([image], { ...rest, prompt, numReturnSequences: 1 });
    return documentOf(ids, this.tokenizer, this.processor.settings.type, { fixMarkdown });
  }

  /** Reads pictures, a batch ahead. Where the model looked is drawn on the whole picture; else only its shape is kept. */
  #reader(images: readonly ImageInput[], { signal, outputAttentions, page }: CaptionOptions): PictureReader {
    const settings = outputAttentions ? undefined : this.processor.settings;
    return new PictureReader(picturesOf(images), this.#workers, {
      ...this.#reading,
      ahead: batchSize,
      settings,
      signal,
      maxPixels: this.maxPixels,
      page,
    });
  }

  #captionOf(written: CaptionText, { skipSpecialTokens }: CaptionOptions): Caption {
    return captionOf(written, { tokenizer: this.tokenizer, skipSpecialTokens });
  }

  /** What the model writes of pictures that are one batch. */
  async #writeBatch(
    images: readonly RawImage[],
    { skipSpecialTokens, worded, ...options }: PromptedOptions,
  ): Promise<CaptionText[][]> {
    const { model, processor, tokenizer } = this;
    const { pixelValues } = processor(images);
    const output = await model.generate(pixelValues, options);
    const { sequences, crossAttentions } = output;
    const ends = endsOf(this, options);
    const each = sequences.length / images.length;
    const attentions = crossAttentions && await import("../attention/attention.ts");
    const written = sequences.map((_, row): CaptionText => {
      const picture = Math.floor(row / each);
      const text = captionTextOf(output, row, { tokenizer, worded, ends, skipSpecialTokens });
      if (!crossAttentions || !attentions) return text;
      const { ids, from } = text;
      const attention = attentions.attentionOf(crossAttentions, {
        ...{ row, ids, from, tokenizer, processor, image: images[picture] },
        ...{
          size: pixelValues.shape.slice(2) as [number, number],
          encoder: architectureOf(model.config, model.limits).encoder,
        },
      });
      return { ...text, attention };
    });
    return images.map((_, i) => written.slice(i * each, (i + 1) * each));
  }

  /**
   * Write model, image processor and tokenizer into a folder, from which `Captioner.load` and Python read them.
   *
   * @param folder The folder, made if it is missing.
   * @param given.maxShardSize The most bytes of weights in a file. @default "50GB"
   * @param given.pushToHub A repository of the Hub that the folder is uploaded to afterwards.
   * @throws {OptionError} If `maxShardSize` is no size.
   * @throws {HubError} If a file cannot be written (a WriteError), or as `pushModel` does.
   */
  async savePretrained(folder: string | URL, given: SaveAndPushOptions = {}): Promise<void> {
    const { pushToHub, push, ...options } = given;
    await this.model.savePretrained(folder, options);
    await this.processor.savePretrained(folder);
    await this.tokenizer.savePretrained(folder);
    if (pushToHub === undefined) return;
    const { pushModel } = await import("../model/push_model.ts");
    await pushModel(folder, pushToHub, push);
  }

  /** Release the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#workers[Symbol.dispose]();
    await this.model[Symbol.asyncDispose]();
  }
}
