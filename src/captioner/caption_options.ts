// What a captioner takes and gives: its parts, its options, and a caption.
import type { Attention } from "../attention/mod.ts";
import type { GenerateOptions } from "../generation/mod.ts";
import type { ImageProcessor, ReadImageOptions } from "../image/mod.ts";
import type { LoadOptions } from "../model/load_options.ts";
import type { Confidence } from "./confidence.ts";
import type { BatchOptions } from "./picture_batches.ts";
import type { PostProcessOptions } from "./nougat/post_process_generation.ts";
import type { PromptOptions, TaskOptions } from "./task_prompt.ts";
import type { TextStreamerOptions } from "./text_streamer.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import type { VisionEncoderDecoderModel } from "../model/vision_encoder_decoder_model.ts";

/** A text of a picture, and what is known of it. */
export interface Caption extends Confidence {
  /** The text. */
  readonly text: string;
  /** Its tokens, the prompt first, as the model gave them. */
  readonly ids: readonly number[];
  /** Whether the length limit cut it. */
  readonly truncated: boolean;
  /** Whether it ends in circles: the same few tokens, four times or more and eight tokens or more. */
  readonly repetition: boolean;
  /** The score of its beam, where beams were searched. */
  readonly score?: number;
  /** Where the model looked at each new token, with `outputAttentions`. */
  readonly attention?: Attention;
}

/** How a text is begun, generated and decoded. */
export interface CaptionOptions
  extends Omit<GenerateOptions, "outputConfidences">, PromptOptions, Pick<ReadImageOptions, "page"> {
  /** Whether special tokens are left out of the text; where they are not, the end token still is. @default true */
  readonly skipSpecialTokens?: boolean;
}

/** What a captioner is made of. */
export interface CaptionerParts extends Pick<ReadImageOptions, "allowPrivateAddresses" | "timeouts"> {
  /** The model, which the captioner releases. */
  readonly model: VisionEncoderDecoderModel;
  /** Turns tokens into text, and prompts into tokens. */
  readonly tokenizer: Tokenizer;
  /** Turns pictures into what the model takes. */
  readonly processor: ImageProcessor;
  /** The most pixels a picture may have. @default 64e6 */
  readonly maxPixels?: number;
}

/** Options of loading a captioner. */
export interface CaptionerLoadOptions extends LoadOptions, Pick<CaptionerParts, "maxPixels" | "allowPrivateAddresses"> {
  /** Where the tokenizer is, if not with the model: a checkpoint of a training has none, and its base model has. */
  readonly tokenizer?: string | URL;
  /** Where the image processor is, if not with the model. */
  readonly processor?: string | URL;
}

/** Options of `document`. */
export interface DocumentOptions extends Omit<CaptionOptions, "skipSpecialTokens">, TaskOptions, PostProcessOptions {}

/** Options of `stream`. */
export interface StreamOptions extends CaptionOptions, Pick<TextStreamerOptions, "wholeWords"> {}

/** Options with prompts as tokens. */
export type PromptedOptions = Omit<GenerateOptions, "decoderInputIds"> & Pick<BatchOptions, "decoderInputIds"> & {
  readonly skipSpecialTokens: boolean;
  /** Whether the prompt was given as a text, which the caption's text does not repeat. */
  readonly worded: boolean;
};
