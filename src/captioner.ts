// The short way: a picture in, its text out. A model with its image processor and its tokenizer.
import { type Attention, attentionOf } from "./attention/mod.ts";
import { OptionError } from "./errors.ts";
import type { GenerateOptions, Streamer } from "./generation/mod.ts";
import { Handoff } from "./handoff.ts";
import { openRepository } from "./hub/mod.ts";
import { ImageWorkers } from "./image/image_workers.ts";
import { AutoImageProcessor, type ImageProcessor, type RawImage } from "./image/mod.ts";
import { checkLoadOptions, type LoadOptions } from "./load_options.ts";
import { architectureOf } from "./models/mod.ts";
import { batchSize, type ImageInput, picturesOf, type Prompts, promptsOf } from "./picture_batches.ts";
import { PictureReader } from "./picture_reader.ts";
import type { SaveOptions } from "./save.ts";
import { TextStreamer, type TextStreamerOptions } from "./text_streamer.ts";
import { AutoTokenizer, type Tokenizer } from "./tokenizer/mod.ts";
import { VisionEncoderDecoderModel } from "./vision_encoder_decoder_model.ts";

/** A text of a picture, and what is known of it. */
export interface Caption {
  readonly text: string;
  /** Its tokens, the prompt first, as the model gave them. */
  readonly ids: readonly number[];
  /** Whether the length limit cut it. */
  readonly truncated: boolean;
  /** The score of its beam, where beams were searched. */
  readonly score?: number;
  /** Where the model looked at each new token, with `outputAttentions`. */
  readonly attention?: Attention;
}

/** Options of `stream`. */
export interface StreamOptions extends GenerateOptions, Pick<TextStreamerOptions, "wholeWords"> {}

/** The model that comes with Limner: it reads one line of printed text. */
const embeddedModel = new URL("../assets/model/", import.meta.url);

/** How many tokens of a row were given: the prompt, with the start token before it if it lacked one. */
function lengthOfPrompt(sequence: readonly number[], prompt: readonly number[] = []): number {
  const whole = prompt.length > 0 && prompt.every((id, i) => sequence[i] === id);
  return whole ? prompt.length : prompt.length + 1;
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

  private constructor(
    readonly model: VisionEncoderDecoderModel,
    readonly processor: ImageProcessor,
    readonly tokenizer: Tokenizer,
  ) {}

  /**
   * Load a model, its image processor and its tokenizer.
   *
   * @param source A folder in Hugging Face's layout, or its web address. @default the embedded model, which reads one
   * line of printed text
   * @throws {LimnerError} As VisionEncoderDecoderModel.fromPretrained, AutoImageProcessor and AutoTokenizer do.
   */
  static async load(source: string | URL = embeddedModel, options: LoadOptions = {}): Promise<Captioner> {
    checkLoadOptions(options);
    const { signal, onProgress, localFilesOnly } = options;
    // Whatever is wrong with the folder itself is told once, before the three read it together.
    await openRepository(source, { signal, localFilesOnly });
    const model = VisionEncoderDecoderModel.fromPretrained(source, options);
    model.catch(() => {}); // It is awaited below, when the other two are there.
    try {
      const [processor, tokenizer] = await Promise.all([
        AutoImageProcessor.fromPretrained(source, { signal, onProgress }),
        AutoTokenizer.fromPretrained(source, { signal, onProgress }),
      ]);
      return new Captioner(await model, processor, tokenizer);
    } catch (error) {
      // The model's own fault comes first; a model that did load is released.
      await (await model)[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Write the text of a picture.
   *
   * @param options.decoderInputIds A prompt for each picture, or one for all.
   * @throws {LimnerError} If the picture cannot be read, or as `generate` does.
   */
  caption(image: ImageInput, options?: GenerateOptions): Promise<string>;
  /** Write the texts of pictures, in their order; one that cannot be read fails the call. */
  caption(images: readonly ImageInput[], options?: GenerateOptions): Promise<string[]>;
  async caption(
    images: ImageInput | readonly ImageInput[],
    options: GenerateOptions = {},
  ): Promise<string | string[]> {
    if ((options.numReturnSequences ?? 1) > 1) {
      throw new OptionError(
        `Cannot caption with numReturnSequences = ${options.numReturnSequences}: caption() gives one text a picture, ` +
          `captions() gives all`,
      );
    }
    const all = await this.captions(Array.isArray(images) ? images : [images], { ...options, numReturnSequences: 1 });
    const texts = all.map(([{ text }]) => text);
    return Array.isArray(images) ? texts : texts[0];
  }

  /**
   * Write all texts of a picture with what is known of them: `numReturnSequences` of them, the best first where beams
   * were searched. With `outputAttentions`, where the model looked.
   */
  captions(image: ImageInput, options?: GenerateOptions): Promise<Caption[]>;
  /** Write all texts of each picture, in their order. */
  captions(images: readonly ImageInput[], options?: GenerateOptions): Promise<Caption[][]>;
  async captions(
    images: ImageInput | readonly ImageInput[],
    options: GenerateOptions = {},
  ): Promise<Caption[] | Caption[][]> {
    if (!Array.isArray(images)) return (await this.captions([images as ImageInput], options))[0];
    const prompts = promptsOf(images.length, options);
    if (options.streamer && images.length > batchSize) {
      throw new OptionError(`Cannot stream ${images.length} pictures: a streamer takes ${batchSize} at most`);
    }
    const captions: Caption[][] = [];
    const reader = this.#reader(images, options);
    for (let at = 0; at < images.length; at += batchSize) {
      captions.push(...await this.#captions(await reader.take(batchSize), { ...options, ...prompts(at) }));
    }
    return captions;
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
    const { wholeWords, streamer: other, decoderInputIds: _, ...rest } = options;
    const prompt = promptsOf(1, options)(0);
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const images = await this.#reader([image], { ...options, signal }).take(1);
    const pieces = new Handoff<string>();
    const text = new TextStreamer(this.tokenizer, (piece) => pieces.put(piece), {
      wholeWords,
      prompt: prompt.decoderInputIds?.[0],
    });
    const streamer: Streamer = {
      put: async (tokens) => void await Promise.all([text.put(tokens), other?.put(tokens)]),
      end: async () => void await Promise.all([text.end(), other?.end()]),
    };
    // Beams are decided at the end only: where the model's settings ask for them, a stream does without.
    const one = { numBeams: 1, numReturnSequences: 1 };
    const generating = this.#captions(images, { ...one, ...rest, ...prompt, signal, streamer });
    generating.then(() => pieces.end(), (error) => pieces.end(error));
    try {
      yield* pieces;
      return (await generating)[0][0];
    } finally {
      stop.abort();
      await generating.catch(() => {});
    }
  }

  /** Reads pictures, a batch ahead. Where the model looked is drawn on the whole picture; else only its shape is kept. */
  #reader(images: readonly ImageInput[], { signal, outputAttentions }: GenerateOptions): PictureReader {
    const settings = outputAttentions ? undefined : this.processor.settings;
    return new PictureReader(picturesOf(images), this.#workers, { ahead: batchSize, settings, signal });
  }

  /** The captions of pictures that are one batch. */
  async #captions(
    images: readonly RawImage[],
    options: Omit<GenerateOptions, "decoderInputIds"> & Prompts,
  ): Promise<Caption[][]> {
    const { model, processor, tokenizer } = this;
    const { pixelValues } = processor(images);
    const { sequences, truncated, sequencesScores, crossAttentions } = await model.generate(pixelValues, options);
    const { eosTokenId = model.generationConfig.eos_token_id } = options;
    const ends = [eosTokenId ?? []].flat();
    const each = sequences.length / images.length;
    const captions = sequences.map((sequence, row): Caption => {
      const picture = Math.floor(row / each);
      const from = lengthOfPrompt(sequence, options.decoderInputIds?.[picture]);
      const end = sequence.findIndex((id, i) => i >= from && ends.includes(id));
      const ids = end < 0 ? sequence : sequence.slice(0, end + 1);
      return {
        text: tokenizer.decode(ids, { skipSpecialTokens: true }),
        ids,
        truncated: truncated[row],
        ...(sequencesScores && { score: sequencesScores[row] }),
        ...(crossAttentions && {
          attention: attentionOf(crossAttentions, {
            ...{ row, ids, from, tokenizer, processor, image: images[picture] },
            ...{ size: pixelValues.shape.slice(2) as [number, number], encoder: architectureOf(model.config).encoder },
          }),
        }),
      };
    });
    return images.map((_, i) => captions.slice(i * each, (i + 1) * each));
  }

  /**
   * Write model, image processor and tokenizer into a folder, from which `Captioner.load` and Python read them.
   *
   * @param folder The folder, made if it is missing.
   * @param options.maxShardSize The most bytes of weights in a file. @default "50GB"
   * @throws {OptionError} If `maxShardSize` is no size.
   */
  async savePretrained(folder: string | URL, options: SaveOptions = {}): Promise<void> {
    await this.model.savePretrained(folder, options);
    await this.processor.savePretrained(folder);
    await this.tokenizer.savePretrained(folder);
  }

  /** Release the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#workers[Symbol.dispose]();
    await this.model[Symbol.asyncDispose]();
  }
}
