// preprocessor_config.json made whole: the class that is named, its defaults, and every older spelling of a size.
// The defaults are those of Transformers' image processor classes.
import { ConfigError } from "../../errors/mod.ts";
import { defaultLimits, type Limits } from "../../limits/mod.ts";
import { askPixels } from "./_pixel_budget.ts";
import type { ProcessorSettings, ProcessorType, SizeConfig } from "./processor_settings.ts";
import type { Resample } from "./resample.ts";

/** The limits that a processor heeds. */
type PixelLimits = Pick<Limits, "maxPixels" | "maxInputPixels">;

const half = [0.5, 0.5, 0.5];
const common = {
  do_convert_rgb: false,
  do_resize: true,
  do_center_crop: false,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  do_pad: false,
  do_thumbnail: false,
  do_align_long_axis: false,
  do_crop_margin: false,
  default_to_square: true,
};
const square = (side: number) => ({ height: side, width: side });

const clip = {
  ...common,
  do_convert_rgb: true,
  size: { shortest_edge: 224 },
  default_to_square: false,
  resample: 3,
  do_center_crop: true,
  crop_size: square(224),
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

const defaults: Readonly<Record<ProcessorType, Readonly<Record<string, unknown>>>> = {
  ViTImageProcessor: { ...common, size: square(224), resample: 2, image_mean: half, image_std: half },
  DeiTImageProcessor: {
    ...common,
    size: square(256),
    resample: 3,
    do_center_crop: true,
    crop_size: square(224),
    image_mean: half,
    image_std: half,
  },
  BeitImageProcessor: {
    ...common,
    size: square(224),
    resample: 3,
    crop_size: square(224),
    image_mean: half,
    image_std: half,
  },
  CLIPImageProcessor: clip,
  BitImageProcessor: clip,
  SiglipImageProcessor: {
    ...common,
    do_convert_rgb: true,
    size: square(224),
    default_to_square: false,
    resample: 3,
    image_mean: half,
    image_std: half,
  },
  DonutImageProcessor: {
    ...common,
    size: { height: 2560, width: 1920 },
    resample: 2,
    do_thumbnail: true,
    do_pad: true,
    image_mean: half,
    image_std: half,
  },
  NougatImageProcessor: {
    ...common,
    size: { height: 896, width: 672 },
    resample: 2,
    do_crop_margin: true,
    do_thumbnail: true,
    do_pad: true,
    image_mean: [0.485, 0.456, 0.406],
    image_std: [0.229, 0.224, 0.225],
  },
};

/** The known processors' names, as an error lists them. */
export const processorTypes: readonly ProcessorType[] = Object.keys(defaults) as ProcessorType[];

/** The keys that mean something to a processor. */
export const optionKeys: readonly string[] = [
  ...new Set([...Object.values(defaults).flatMap((keys) => Object.keys(keys)), "pad_size", "do_reduce_labels"]),
];

/** The processor that an encoder's `model_type` goes with, for repositories that name none. */
const encoderProcessors: Readonly<Record<string, ProcessorType>> = {
  vit: "ViTImageProcessor",
  deit: "DeiTImageProcessor",
  beit: "BeitImageProcessor",
  "data2vec-vision": "BeitImageProcessor",
  dinov2: "BitImageProcessor",
  clip_vision_model: "CLIPImageProcessor",
  siglip_vision_model: "SiglipImageProcessor",
  swin: "ViTImageProcessor",
  swinv2: "ViTImageProcessor",
  "donut-swin": "DonutImageProcessor",
};

/**
 * The processor that a preprocessor_config.json names, in its own words or in older ones.
 *
 * @param config The file's content.
 * @param encoderType The `model_type` of the model's encoder, for files that name no processor.
 * @throws {ConfigError} If the processor is unknown, or none is named.
 */
export function processorType(config: Readonly<Record<string, unknown>>, encoderType?: string): ProcessorType {
  const key = config.image_processor_type == null ? "feature_extractor_type" : "image_processor_type";
  const named = config[key];
  const list = processorTypes.join(", ");
  if (named == null) {
    const type = encoderProcessors[encoderType ?? ""];
    if (type) return type;
    throw new ConfigError(
      `Cannot make an image processor: image_processor_type is missing, and one of ${list} was expected`,
      "image_processor_type",
    );
  }
  const base = String(named).replace(/FeatureExtractor$/, "ImageProcessor").replace(/(Fast|Pil)$/, "");
  const type = processorTypes.find((known) => known === base);
  if (type) return type;
  throw new ConfigError(
    `Cannot make an image processor: ${key} is "${named}", and one of ${list} was expected`,
    key,
  );
}

/**
 * Fill in a processor's defaults and bring every form of size, mean and deviation to one.
 *
 * @param type The processor.
 * @param config preprocessor_config.json's content. As in Transformers null is no default but unset: a flag is off then,
 * and a value that is needed must be there. Unknown keys are passed over.
 * @param options.maxPixels The most pixels that it may ask for at each step.
 * @param options.maxInputPixels The most pixels that it may make for the model.
 * @param options.channels The channels that the model takes, where mean and deviation do not say it. @default 3
 * @throws {ConfigError} If a value cannot work.
 * @throws {LimitError} If every picture would take more pixels than are allowed.
 */
export function processorSettings(
  type: ProcessorType,
  config: Readonly<Record<string, unknown>>,
  { maxPixels, maxInputPixels, channels: modelChannels = 3 }: PixelLimits & { readonly channels?: 1 | 3 } =
    defaultLimits,
): ProcessorSettings {
  const value = (key: string): unknown => config[key] === undefined ? defaults[type][key] : config[key];
  const flag = (key: string): boolean => {
    const given = value(key) ?? false;
    if (typeof given !== "boolean") fail(key, given, "true or false");
    return given as boolean;
  };
  /** A value, or its default where it is unset and not needed. */
  const needed = (key: string, by: string): unknown => flag(by) ? value(key) : value(key) ?? defaults[type][key];
  const factor = needed("rescale_factor", "do_rescale");
  if (typeof factor !== "number") fail("rescale_factor", factor, "a number");
  const resample = needed("resample", "do_resize") as Resample;
  if (![0, 1, 2, 3, 4, 5].includes(resample)) {
    fail("resample", resample, "0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (Hamming)");
  }
  let size = needed("size", "do_resize");
  // Donut's old files hold [width, height], and null is its default.
  if (type === "DonutImageProcessor") size = Array.isArray(size) ? size.toReversed() : size ?? defaults[type].size;
  // Kosmos-2 in its first files.
  if (type === "CLIPImageProcessor" && config.use_square_size === true) size = square(224);
  const mean = needed("image_mean", "do_normalize");
  const deviation = needed("image_std", "do_normalize");
  const normalizes = flag("do_normalize");
  const channels = (normalizes ? channelsOf([mean, deviation]) : undefined) ?? modelChannels;
  const settings = {
    type,
    channels,
    doConvertRgb: flag("do_convert_rgb"),
    doResize: flag("do_resize"),
    size: sizeConfig("size", size, flag("default_to_square")),
    resample,
    doCenterCrop: flag("do_center_crop"),
    cropSize: rectangle("crop_size", value("crop_size")),
    doRescale: flag("do_rescale"),
    rescaleFactor: factor as number,
    doNormalize: normalizes,
    imageMean: perChannel("image_mean", mean, normalizes ? [channels] : [1, 3]),
    imageStd: perChannel("image_std", deviation, normalizes ? [channels] : [1, 3]),
    doPad: type !== "BeitImageProcessor" && flag("do_pad"), // BEiT's reads do_pad and never pads
    padSize: rectangle("pad_size", value("pad_size")),
    doThumbnail: flag("do_thumbnail"),
    doAlignLongAxis: flag("do_align_long_axis"),
    doCropMargin: flag("do_crop_margin"),
    maxPixels,
    maxInputPixels,
  };
  checkSizes(settings);
  return settings;
}

/** Ask for the least pixels that any picture will have. */
function checkSizes(settings: ProcessorSettings): void {
  const { size, cropSize, padSize, doResize, doPad, doCenterCrop } = settings;
  if (doResize || doPad) {
    const last = !doCenterCrop;
    if ("height" in size) askPixels(settings, "size", size, { last });
    else if ("shortest_edge" in size && !size.longest_edge) {
      askPixels(settings, "size", square(size.shortest_edge), { last });
    }
  }
  if (doCenterCrop && cropSize) askPixels(settings, "crop_size", cropSize, { last: true });
  if (doPad && padSize) askPixels(settings, "pad_size", padSize, { last: true });
}

function fail(key: string, given: unknown, expected: string): never {
  throw new ConfigError(
    `Cannot make an image processor: ${key} is ${JSON.stringify(given)}, and ${expected} was expected`,
    key,
  );
}

const sizeKeys = [
  "height,width",
  "shortest_edge",
  "longest_edge,shortest_edge",
  "longest_edge",
  "max_height,max_width",
];

function sizeConfig(key: string, given: unknown, defaultToSquare: boolean): SizeConfig {
  const size = typeof given === "number"
    ? (defaultToSquare ? square(given) : { shortest_edge: given })
    : Array.isArray(given)
    ? { height: given[0], width: given[1] }
    : given;
  const known = typeof size === "object" && size !== null && sizeKeys.includes(Object.keys(size).sort().join());
  // longest_edge may be null.
  const sides = Object.entries(known ? size : {}).filter(([name, side]) => name !== "longest_edge" || side !== null);
  if (sides.length === 0 || !sides.every(([, side]) => Number.isSafeInteger(side) && side as number > 0)) {
    fail(key, given, `a positive number, [height, width], or an object of positive ${sizeKeys.join(" or ")}`);
  }
  return Object.fromEntries(sides) as SizeConfig;
}

function rectangle(key: string, given: unknown): { height: number; width: number } | undefined {
  if (given == null) return undefined;
  const size = sizeConfig(key, given, true);
  if (!("height" in size)) fail(key, given, "a height and a width");
  return size as { height: number; width: number };
}

/** How many channels the lists of mean and deviation are for; undefined where both are one number for all. */
function channelsOf(given: readonly unknown[]): 1 | 3 | undefined {
  const lists = given.filter(Array.isArray);
  return lists.length === 0 ? undefined : lists.every((list) => list.length === 1) ? 1 : 3;
}

/** @param counts How many numbers there may be. */
function perChannel(key: string, given: unknown, counts: readonly number[]): readonly number[] {
  const list = typeof given === "number" ? Array(counts.at(-1)).fill(given) : given;
  if (!Array.isArray(list) || !counts.includes(list.length) || !list.every((x) => typeof x === "number")) {
    fail(key, given, "a number, a list of 3, or for grey pictures a list of 1");
  }
  if (key === "image_std" && (list as number[]).includes(0)) fail(key, given, "no zero");
  return list as number[];
}
