// What a data set of pictures and texts takes, and what it gives.
import type { ImageProcessor, RawImage, ReadImageOptions } from "../../image/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";
import type { LabelOptions } from "./labels.ts";

/** Changes a picture at random; it must draw all its randomness from `random`, which gives numbers from 0 up to 1. */
export type Augmentation = (image: RawImage, random: () => number) => RawImage | Promise<RawImage>;

/** How a data set is read. */
export interface DatasetOptions extends LabelOptions, Pick<ReadImageOptions, "maxPixels" | "allowPrivateAddresses"> {
  /** Makes labels of texts. */
  readonly tokenizer: Tokenizer;
  /** Makes pixel values of pictures. */
  readonly processor: ImageProcessor;
  /** Decides the order of every epoch and what augmentation draws. @default 0 */
  readonly seed?: number;
  /**
   * What is done with examples that cannot be used: a picture that is missing or damaged, a text that is missing, empty
   * or too long. `throw` fails with their names; `skip` goes on without them, and `broken` lists them. @default "throw"
   */
  readonly onBroken?: "skip" | "throw";
  /** The most tokens of labels, special ones included; a longer text counts as broken, and is never cut. */
  readonly maxLength?: number;
  /** Changes each picture of a training, before the image processor: the same for the same seed, epoch and example. */
  readonly augment?: Augmentation;
  /**
   * Rows of labels are filled up to a multiple of this, at most to the data set's longest. What fills them does not
   * count; a step compiles a program for each length that comes, and so there are few. @default 8
   */
  readonly padToMultipleOf?: number;
}

/** Which batches are wanted. */
export interface BatchOptions {
  /** Examples of a batch; the last of an epoch may have fewer. */
  readonly batchSize: number;
  /** Which epoch, from 0 on: another has another order. @default 0 */
  readonly epoch?: number;
  /** The first batch that is wanted, by its number in the epoch from 0 on. @default 0 */
  readonly startBatch?: number;
  /** Whether the order is random, rather than that of the data set. @default true */
  readonly shuffle?: boolean;
  /** Whether pictures are changed as option `augment` of the data set says. @default true */
  readonly augment?: boolean;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** Pictures and labels of a training step. */
export interface Batch {
  /** Float32, [batch, channels, height, width]. */
  readonly pixelValues: Tensor;
  /** Int64, [batch, T]; -100 does not count. */
  readonly labels: Tensor;
  /** The places of its examples in the data set. */
  readonly examples: readonly number[];
  /** Its number in the epoch, from 0 on; none where all examples of a batch are broken. */
  readonly index: number;
}
