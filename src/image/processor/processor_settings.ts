// What an image processor does, as preprocessor_config.json says when it is made whole.
import type { Resample } from "./resample.ts";

/** The image processors that are known, by their name in Transformers. */
export type ProcessorType =
  | "ViTImageProcessor"
  | "DeiTImageProcessor"
  | "BeitImageProcessor"
  | "CLIPImageProcessor"
  | "BitImageProcessor"
  | "SiglipImageProcessor"
  | "DonutImageProcessor"
  | "NougatImageProcessor";

/** A size as preprocessor_config.json holds it, in pixels; each form is resized to differently. */
export type SizeConfig =
  | { readonly height: number; readonly width: number }
  | { readonly shortest_edge: number; readonly longest_edge?: number }
  | { readonly longest_edge: number }
  | { readonly max_height: number; readonly max_width: number };

/** What an image processor does, each key present; the keys are preprocessor_config.json's in camelCase. */
export interface ProcessorSettings {
  /** Which of Transformers' processors it is. */
  readonly type: ProcessorType;
  /** The channels that the model takes: RGB, or grey. */
  readonly channels: 1 | 3;
  /** Whether transparent places show white; alpha is dropped where not. Pictures always become RGB, or grey. */
  readonly doConvertRgb: boolean;
  /** Whether pictures are resized. */
  readonly doResize: boolean;
  /** The size that they are resized to, in pixels. */
  readonly size: SizeConfig;
  /** How they are resampled. */
  readonly resample: Resample;
  /** Whether their middle is cut out. */
  readonly doCenterCrop: boolean;
  /** The size of what is cut out, in pixels. */
  readonly cropSize?: { readonly height: number; readonly width: number };
  /** Whether values of 0 to 255 are multiplied by `rescaleFactor`. */
  readonly doRescale: boolean;
  /** What values are multiplied by. @default 1 / 255 */
  readonly rescaleFactor: number;
  /** Whether `imageMean` is subtracted, and the rest divided by `imageStd`. */
  readonly doNormalize: boolean;
  /** The mean of each channel. */
  readonly imageMean: readonly number[];
  /** The standard deviation of each channel. */
  readonly imageStd: readonly number[];
  /** Whether pictures are padded. */
  readonly doPad: boolean;
  /** The size that they are padded to, in pixels; the resized size where it is missing. */
  readonly padSize?: { readonly height: number; readonly width: number };
  /** Whether larger pictures are made to fit into the size (Donut, Nougat). */
  readonly doThumbnail: boolean;
  /** Whether a picture is turned so that its longer side is that of the size (Donut, Nougat). */
  readonly doAlignLongAxis: boolean;
  /** Whether the empty margin of a page is cut off (Nougat). */
  readonly doCropMargin: boolean;
  /** The most pixels that a picture may have on its way through. */
  readonly maxPixels: number;
  /** The most pixels that a picture may have as it comes out. */
  readonly maxInputPixels: number;
}
