// Pictures to a model's input, as Transformers' image processors do it on Pillow and NumPy: geometry in 8 bits
// (shape_image.ts), then rescaling in float64 and normalising in float32. A sample has 256 values, so both are one table
// a channel.
import { explained } from "../../errors/explained.ts";
import { ConfigError, ShapeError } from "../../errors/mod.ts";
import { demand, type Limits, resolveLimits } from "../../limits/mod.ts";
import { isRecord } from "../../hub/read_json.ts";
import { Tensor } from "../../tensor/mod.ts";
import { optionKeys, processorSettings } from "./processor_config.ts";
import type { ProcessorSettings, ProcessorType } from "./processor_settings.ts";
import type { RawImage } from "../raw_image.ts";
import type { Rectangle } from "./resample.ts";
import { padsFirst, shapeImage } from "./shape_image.ts";

/** Keys of preprocessor_config.json in camelCase that hold for one call, for example `{ doNormalize: false }`. */
export type ImageProcessorOptions = Partial<
  & Omit<
    ProcessorSettings,
    "type" | "channels" | "maxPixels" | "maxInputPixels" | "size" | "cropSize" | "padSize" | "imageMean" | "imageStd"
  >
  & Record<"size" | "cropSize" | "padSize", number | readonly number[] | Readonly<Record<string, number>>>
  & Record<"imageMean" | "imageStd", number | readonly number[]>
>;

/** Makes a model's input of pictures; call it as a function. */
export interface ImageProcessor {
  /**
   * Convert pictures to RGB, or to grey for a model of one channel, resize, crop, rescale and normalise them as the
   * configuration says.
   *
   * @param images A picture or several.
   * @param options What differs from the configuration in this call.
   * @returns `pixelValues` float32, shape [batch, channels, height, width].
   * @throws {ShapeError} If the pictures of a batch come out in different sizes, or there are none.
   * @throws {ConfigError} If an option has a value that cannot work.
   * @throws {LimitError} If a picture would take more pixels than are allowed, as it comes out or in between.
   * @throws {LimnerError} If the pictures take more memory than can be had.
   */
  (images: RawImage | readonly RawImage[], options?: ImageProcessorOptions): { pixelValues: Tensor };
  /** preprocessor_config.json's content, keys that are not known to Limner too. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What is done, all defaults filled in. */
  readonly settings: ProcessorSettings;
  /**
   * Write preprocessor_config.json.
   *
   * @param folder Where to; it is made if it is missing.
   */
  savePretrained(folder: string | URL): Promise<void>;
}

/**
 * Make an image processor from a configuration.
 *
 * @param type The processor's name in Transformers.
 * @param config preprocessor_config.json's content; what is missing has the processor's default.
 * @param options.channels The channels that the model takes, where mean and deviation are one number for all. @default 3
 * @param options.limits The most pixels that a picture may have on its way.
 * @returns A function from pictures to pixel values.
 * @throws {ConfigError} If a value cannot work.
 * @throws {LimitError} If every picture would take more pixels than are allowed.
 */
export function createImageProcessor(
  type: ProcessorType,
  config: Readonly<Record<string, unknown>> = {},
  { channels, limits }: { readonly channels?: 1 | 3; readonly limits?: Partial<Limits> } = {},
): ImageProcessor {
  const allowed = { ...resolveLimits(limits), channels };
  const settings = processorSettings(type, config, allowed);
  // The options of a call do not change what the configuration's size means.
  const decided = { ...config, size: settings.size, use_square_size: false };
  const call = (images: RawImage | readonly RawImage[], options?: ImageProcessorOptions): { pixelValues: Tensor } => {
    const changed = options && { ...decided, ...knownOptions(snakeCaseKeys(options)) };
    const now = changed ? processorSettings(type, changed, allowed) : settings;
    const all: readonly RawImage[] = Array.isArray(images) ? images : [images];
    const task = () =>
      `Cannot process pictures of ${all.map(({ width, height }) => `${width} x ${height}`).join(", ")}`;
    return { pixelValues: explained(task, () => process(all, now)) };
  };
  const savePretrained = async (folder: string | URL): Promise<void> => {
    const { writeJson } = await import("../../hub/write_json.ts");
    await writeJson(folder, "preprocessor_config.json", { ...config, image_processor_type: type });
  };
  return Object.assign(call, { config, settings, savePretrained });
}

function snakeCaseKeys(object: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      isRecord(value) ? snakeCaseKeys(value) : value,
    ]),
  );
}

/** Refuse an option that no processor has; a file's unknown keys are passed over. */
function knownOptions(options: Record<string, unknown>): Record<string, unknown> {
  const unknown = Object.keys(options).find((key) => !optionKeys.includes(key));
  if (unknown === undefined) return options;
  throw new ConfigError(
    `Cannot process pictures: there is no option ${unknown}, and one of ${optionKeys.join(", ")} was expected`,
    unknown,
  );
}

function process(images: readonly RawImage[], settings: ProcessorSettings): Tensor {
  if (images.length === 0) throw new ShapeError("Cannot process pictures: there are none, and one was expected");
  const ready = images.map((image) => shapeImage(image, settings));
  // Padding to a common size comes last and fills with 0 (Donut and Nougat pad before they rescale).
  const target = settings.doPad && !padsFirst(settings.type) ? (settings.padSize ?? largest(ready)) : ready[0];
  const { height, width } = target;
  const { channels } = settings;
  const plane = height * width;
  const because = `it comes out as ${width} x ${height}`;
  demand(settings, "maxInputPixels", plane, { task: "Cannot process a picture", because });
  const data = new Float32Array(images.length * channels * plane);
  const tables = Array.from({ length: channels }, (_, channel) => valueTable(settings, channel));
  ready.forEach((image, index) => {
    const fits = settings.doPad ? image.height <= height && image.width <= width : true;
    if (!fits || (!settings.doPad && (image.height !== height || image.width !== width))) {
      throw new ShapeError(
        `Cannot put pictures into one batch: picture ${index} comes out as ${image.width} x ${image.height}, and ` +
          `${width} x ${height} was expected`,
        { shapes: ready.map((one) => [channels, one.height, one.width]) },
      );
    }
    tables.forEach((table, channel) => {
      const at = (index * channels + channel) * plane;
      if (image.width === width) {
        for (let i = 0, from = channel; i < image.height * width; i++, from += channels) {
          data[at + i] = table[image.data[from]];
        }
        return;
      }
      for (let y = 0, from = channel; y < image.height; y++) {
        for (let x = 0; x < image.width; x++, from += channels) data[at + y * width + x] = table[image.data[from]];
      }
    });
  });
  return new Tensor("float32", [images.length, channels, height, width], data);
}

function largest(images: readonly RawImage[]): Rectangle {
  return {
    height: Math.max(...images.map((image) => image.height)),
    width: Math.max(...images.map((image) => image.width)),
  };
}

/** The float32 value of each sample 0 to 255 of a channel. */
function valueTable(settings: ProcessorSettings, channel: number): Float32Array {
  const mean = Math.fround(settings.imageMean[channel]);
  const deviation = Math.fround(settings.imageStd[channel]);
  const { doRescale, doNormalize, rescaleFactor } = settings;
  const rescaled = Float32Array.from({ length: 256 }, (_, sample) => doRescale ? sample * rescaleFactor : sample);
  checkFinite(rescaled, "rescale_factor", rescaleFactor);
  if (!doNormalize) return rescaled;
  const centred = rescaled.map((value) => value - mean);
  checkFinite(centred, "image_mean", settings.imageMean);
  const values = centred.map((value) => value / deviation);
  checkFinite(values, "image_std", settings.imageStd);
  return values;
}

/** @throws {ConfigError} If values are beyond float32: of those a model makes nothing. */
function checkFinite(values: Float32Array, key: string, given: unknown): void {
  if (values.every(Number.isFinite)) return;
  throw new ConfigError(
    `Cannot process pictures: ${key} is ${JSON.stringify(given)}, which makes values that are not finite in float32`,
    key,
  );
}
