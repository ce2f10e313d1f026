// Pictures to a model's input, as Transformers' image processors do it on Pillow and NumPy: geometry in 8 bits, then
// rescaling in float64 and normalising in float32. A sample has 256 values, so both are one table a channel.
import { ConfigError, ShapeError } from "../errors.ts";
import { Tensor } from "../tensor/mod.ts";
import { cropMargin } from "./_crop_margin.ts";
import { outputSize, type Rectangle, shortestEdge, thumbnailSize } from "./_output_size.ts";
import { optionKeys, type ProcessorSettings, processorSettings, type ProcessorType } from "./processor_config.ts";
import type { RawImage } from "./raw_image.ts";
import { resize } from "./resample.ts";
import { centerCrop, crop, orient, resizeWithGap } from "./transforms.ts";

/** Keys of preprocessor_config.json in camelCase that hold for one call, for example `{ doNormalize: false }`. */
export type ImageProcessorOptions = Partial<
  & Omit<ProcessorSettings, "type" | "size" | "cropSize" | "padSize" | "imageMean" | "imageStd">
  & Record<"size" | "cropSize" | "padSize", number | readonly number[] | Readonly<Record<string, number>>>
  & Record<"imageMean" | "imageStd", number | readonly number[]>
>;

/** Makes a model's input of pictures; call it as a function. */
export interface ImageProcessor {
  /**
   * Convert pictures to RGB, resize, crop, rescale and normalise them as the configuration says.
   *
   * @param images A picture or several.
   * @param options What differs from the configuration in this call.
   * @returns `pixelValues` float32, shape [batch, channels, height, width].
   * @throws {ShapeError} If the pictures of a batch come out in different sizes, or there are none.
   * @throws {ConfigError} If an option has a value that cannot work.
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
 * @returns A function from pictures to pixel values.
 * @throws {ConfigError} If a value cannot work.
 */
export function createImageProcessor(
  type: ProcessorType,
  config: Readonly<Record<string, unknown>> = {},
): ImageProcessor {
  const settings = processorSettings(type, config);
  // The options of a call do not change what the configuration's size means.
  const decided = { ...config, size: settings.size, use_square_size: false };
  const call = (images: RawImage | readonly RawImage[], options?: ImageProcessorOptions): { pixelValues: Tensor } => {
    const now = options ? processorSettings(type, { ...decided, ...knownOptions(snakeCaseKeys(options)) }) : settings;
    return { pixelValues: process(Array.isArray(images) ? images : [images], now) };
  };
  const savePretrained = async (folder: string | URL): Promise<void> => {
    const { writeJson } = await import("../hub/write_json.ts");
    await writeJson(folder, "preprocessor_config.json", { ...config, image_processor_type: type });
  };
  return Object.assign(call, { config, settings, savePretrained });
}

function snakeCaseKeys(object: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      typeof value === "object" && value !== null && !Array.isArray(value) ? snakeCaseKeys(value) : value,
    ]),
  );
}

/** Refuse an option that no processor has; a file's unknown keys are passed over. */
function knownOptions(options: Record<string, unknown>): Record<string, unknown> {
  const unknown = Object.keys(options).find((key) => !optionKeys.includes(key));
  if (unknown === undefined) return options;
  throw new ConfigError(
    `Could not process pictures: there is no option ${unknown}, and one of ${optionKeys.join(", ")} was expected`,
    unknown,
  );
}

function process(images: readonly RawImage[], settings: ProcessorSettings): Tensor {
  if (images.length === 0) throw new ShapeError("Could not process pictures: there are none, and one was expected");
  const ready = images.map((image) => geometry(image.toRgb(settings.doConvertRgb), settings));
  // Padding to a common size comes last and fills with 0 (Donut and Nougat pad before they rescale).
  const target = settings.doPad && !padsFirst(settings.type) ? (settings.padSize ?? largest(ready)) : ready[0];
  const { height, width } = target;
  const plane = height * width;
  const data = new Float32Array(images.length * 3 * plane);
  const tables = [0, 1, 2].map((channel) => valueTable(settings, channel));
  ready.forEach((image, index) => {
    const fits = settings.doPad ? image.height <= height && image.width <= width : true;
    if (!fits || (!settings.doPad && (image.height !== height || image.width !== width))) {
      throw new ShapeError(
        `Could not put pictures into one batch: picture ${index} comes out as ${image.width} x ${image.height}, and ` +
          `${width} x ${height} was expected`,
        { shapes: ready.map((one) => [3, one.height, one.width]) },
      );
    }
    tables.forEach((table, channel) => {
      const at = (index * 3 + channel) * plane;
      if (image.width === width) {
        for (let i = 0, from = channel; i < image.height * width; i++, from += 3) {
          data[at + i] = table[image.data[from]];
        }
        return;
      }
      for (let y = 0, from = channel; y < image.height; y++) {
        for (let x = 0; x < image.width; x++, from += 3) data[at + y * width + x] = table[image.data[from]];
      }
    });
  });
  return new Tensor("float32", [images.length, 3, height, width], data);
}

function padsFirst(type: ProcessorType): boolean {
  return type === "DonutImageProcessor" || type === "NougatImageProcessor";
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
  return Float32Array.from({ length: 256 }, (_, sample) => {
    const value = Math.fround(settings.doRescale ? sample * settings.rescaleFactor : sample);
    return settings.doNormalize ? Math.fround(value - mean) / deviation : value;
  });
}

function geometry(image: RawImage, settings: ProcessorSettings): RawImage {
  if (padsFirst(settings.type)) return documentGeometry(image, settings);
  const { doResize, size, resample, doCenterCrop } = settings;
  const { width, height } = doResize ? outputSize(image, size) : image;
  const resized = resize(image, width, height, resample);
  return doCenterCrop ? cut(resized, settings) : resized;
}

function cut(image: RawImage, { cropSize }: ProcessorSettings): RawImage {
  if (cropSize) return centerCrop(image, cropSize.width, cropSize.height);
  throw new ConfigError("Could not crop a picture: do_center_crop is true, and crop_size was expected", "crop_size");
}

/** Donut's and Nougat's way: margins off, long axis aligned, shorter side resized, made to fit, padded all around. */
function documentGeometry(image: RawImage, settings: ProcessorSettings): RawImage {
  const { type, size, resample } = settings;
  if (!("height" in size)) {
    throw new ConfigError(`Could not process a picture: ${type} needs a size of height and width`, "size");
  }
  const nougat = type === "NougatImageProcessor";
  let result = nougat && settings.doCropMargin ? cropMargin(image) : image;
  if (settings.doAlignLongAxis && (size.width - size.height) * (result.width - result.height) < 0) {
    result = orient(result, 6); // a quarter turn clockwise
  }
  if (settings.doResize) {
    const edge = shortestEdge(result, Math.min(size.height, size.width));
    result = resize(result, edge.width, edge.height, resample);
  }
  if (settings.doThumbnail) {
    const { width, height } = thumbnailSize(result, size);
    // Nougat resizes to the thumbnail through its own `resize`, always bicubic and in two steps.
    result = nougat
      ? resizeWithGap(result, width, height, 3, 2)
      : resize(result, width, height, resample === 0 ? 3 : resample);
  }
  if (settings.doPad) result = padAround(result, size, type);
  return settings.doCenterCrop && !nougat ? cut(result, settings) : result;
}

function padAround(image: RawImage, size: Rectangle, type: ProcessorType): RawImage {
  const dx = size.width - image.width;
  const dy = size.height - image.height;
  if (dx >= 0 && dy >= 0) return crop(image, -Math.floor(dx / 2), -Math.floor(dy / 2), size.width, size.height);
  throw new ShapeError(
    `Could not pad a picture of ${image.width} x ${image.height} for ${type}: at most ${size.width} x ${size.height} ` +
      "was expected (do_thumbnail or do_resize make it fit)",
    { shapes: [[3, image.height, image.width], [3, size.height, size.width]] },
  );
}
