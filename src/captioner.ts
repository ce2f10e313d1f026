// The short way: a picture in, its text out. A model with its image processor and its tokenizer.
import { openRepository } from "./hub/mod.ts";
import { AutoImageProcessor, type ImageProcessor, RawImage, readImage } from "./image/mod.ts";
import type { GenerateOptions } from "./generation/mod.ts";
import { AutoTokenizer, type Tokenizer } from "./tokenizer/mod.ts";
import type { SaveOptions } from "./save.ts";
import { TextStream } from "./text_stream.ts";
import type { LoadOptions } from "./load_options.ts";
import { VisionEncoderDecoderModel } from "./vision_encoder_decoder_model.ts";

/** A picture: a path, an address, the bytes of a file, or pixels. */
export type ImageInput = string | URL | Uint8Array | Blob | RawImage;

/** The model that comes with Limner: it reads one line of printed text. */
const embeddedModel = new URL("../assets/model/", import.meta.url);

/** Pictures given to the model at once. */
const batchSize = 8;

async function toImage(input: ImageInput): Promise<RawImage> {
  return input instanceof RawImage ? input : await readImage(input);
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
    // Whatever is wrong with the folder itself is told once, before the three read it together.
    await openRepository(source, { signal: options.signal });
    const model = VisionEncoderDecoderModel.fromPretrained(source, options);
    model.catch(() => {}); // It is awaited below, when the other two are there.
    try {
      const [processor, tokenizer] = await Promise.all([
        AutoImageProcessor.fromPretrained(source),
        AutoTokenizer.fromPretrained(source),
      ]);
      return new Captioner(await model, processor, tokenizer);
    } catch (error) {
      // The model's own fault comes first; a model that did load is released.
      await (await model)[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Write the text of a picture. */
  caption(image: ImageInput, options?: GenerateOptions): Promise<string>;
  /** Write the texts of pictures, in their order. */
  caption(images: readonly ImageInput[], options?: GenerateOptions): Promise<string[]>;
  async caption(
    images: ImageInput | readonly ImageInput[],
    options: GenerateOptions = {},
  ): Promise<string | string[]> {
    if (!Array.isArray(images)) return (await this.caption([images as ImageInput], options))[0];
    const texts: string[] = [];
    for (let at = 0; at < images.length; at += batchSize) {
      const batch = await Promise.all(images.slice(at, at + batchSize).map(toImage));
      const { pixelValues } = this.processor(batch);
      const { sequences } = await this.model.generate(pixelValues, options);
      texts.push(...this.tokenizer.batchDecode(sequences, { skipSpecialTokens: true }));
    }
    return texts;
  }

  /**
   * Write the text of a picture as it is decided, without beams, which are decided at the end only.
   *
   * @returns Pieces of text, never half a character. Ending the loop early stops the generation.
   */
  async *stream(image: ImageInput, options: GenerateOptions = {}): AsyncIterable<string> {
    const { pixelValues } = this.processor([await toImage(image)]);
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const text = new TextStream((ids) => this.tokenizer.decode(ids, { skipSpecialTokens: true }));
    const streamer = {
      put: (tokens: readonly (readonly number[])[]) => {
        text.put(tokens);
        return options.streamer?.put(tokens);
      },
      end: () => {
        options.streamer?.end();
        text.end();
      },
    };
    // Beams are decided at the end only: where the model's settings ask for them, a stream does without.
    const one = { numBeams: 1, numReturnSequences: 1 };
    const generating = this.model.generate(pixelValues, { ...one, ...options, signal, streamer });
    generating.catch((error) => text.fail(error));
    try {
      yield* text;
    } finally {
      stop.abort();
      await generating.catch(() => {});
    }
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
    await this.model[Symbol.asyncDispose]();
  }
}
