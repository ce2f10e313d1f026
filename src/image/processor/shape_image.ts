// A picture as an image processor's geometry leaves it, in 8 bits: RGB or grey, resized, cropped, and padded where that comes
// before the rescaling.
import { ConfigError, ShapeError } from "../../errors/mod.ts";
import { cropMargin } from "./_crop_margin.ts";
import { askPixels } from "./_pixel_budget.ts";
import { outputSize, shortestEdge, thumbnailSize } from "./_output_size.ts";
import type { ProcessorSettings, ProcessorType } from "./processor_settings.ts";
import { RawImage } from "../raw_image.ts";
import { type Rectangle, resize } from "./resample.ts";
import { centerCrop, crop, orient, resizeWithGap } from "./transforms.ts";

/** A picture that has been shaped already, in another thread for example. */
export class ShapedImage extends RawImage {
  /** @param settings What it was shaped by. */
  constructor(image: Pick<RawImage, "data" | "width" | "height">, readonly settings: ProcessorSettings) {
    super(image.data, image.width, image.height, settings.channels);
  }
}

/**
 * Bring a picture into the shape that a processor gives it.
 *
 * @returns A picture in RGB, or in grey where the model takes one channel; `image` itself if it has been shaped by these settings.
 * @throws {ShapeError} If it does not fit into what it is padded to.
 * @throws {ConfigError} If a size is missing, or is of a form that cannot work.
 * @throws {LimitError} If it takes more pixels than `settings` allow, as it comes out or in between.
 */
export function shapeImage(image: RawImage, settings: ProcessorSettings): RawImage {
  if (image instanceof ShapedImage && image.settings === settings) return image;
  const rgb = image.toRgb(settings.doConvertRgb);
  return geometry(settings.channels === 1 ? rgb.toGrey() : rgb, settings);
}

/** Whether a processor pads before it rescales, all around. */
export function padsFirst(type: ProcessorType): boolean {
  return type === "DonutImageProcessor" || type === "NougatImageProcessor";
}

function geometry(image: RawImage, settings: ProcessorSettings): RawImage {
  if (padsFirst(settings.type)) return documentGeometry(image, settings);
  const { doResize, size, resample, doCenterCrop } = settings;
  const { width, height } = doResize ? outputSize(image, size) : image;
  if (doResize) askPixels(settings, "size", { width, height }, { from: image, last: !doCenterCrop });
  const resized = resize(image, width, height, resample);
  return doCenterCrop ? cut(resized, settings) : resized;
}

function cut(image: RawImage, settings: ProcessorSettings): RawImage {
  const { cropSize } = settings;
  if (cropSize) {
    askPixels(settings, "crop_size", cropSize, { last: true });
    return centerCrop(image, cropSize.width, cropSize.height);
  }
  throw new ConfigError("Cannot crop a picture: do_center_crop is true, and crop_size was expected", "crop_size");
}

/** Donut's and Nougat's way: margins off, long axis aligned, shorter side resized, made to fit, padded all around. */
function documentGeometry(image: RawImage, settings: ProcessorSettings): RawImage {
  const { type, size, resample } = settings;
  if (!("height" in size)) {
    throw new ConfigError(`Cannot process a picture: ${type} needs a size of height and width`, "size");
  }
  const nougat = type === "NougatImageProcessor";
  const cuts = settings.doCenterCrop && !nougat;
  let result = nougat && settings.doCropMargin ? cropMargin(image) : image;
  if (settings.doAlignLongAxis && (size.width - size.height) * (result.width - result.height) < 0) {
    result = orient(result, 6); // a quarter turn clockwise
  }
  if (settings.doResize) {
    const edge = shortestEdge(result, Math.min(size.height, size.width));
    askPixels(settings, "size", edge, { from: result });
    result = resize(result, edge.width, edge.height, resample);
  }
  if (settings.doThumbnail) {
    const { width, height } = thumbnailSize(result, size);
    askPixels(settings, "size", { width, height }, { from: result });
    // Nougat resizes to the thumbnail through its own `resize`, always bicubic and in two steps.
    result = nougat
      ? resizeWithGap(result, width, height, 3, 2)
      : resize(result, width, height, resample === 0 ? 3 : resample);
  }
  if (settings.doPad) {
    askPixels(settings, "size", size, { last: !cuts });
    result = padAround(result, size, type);
  }
  return cuts ? cut(result, settings) : result;
}

function padAround(image: RawImage, size: Rectangle, type: ProcessorType): RawImage {
  const dx = size.width - image.width;
  const dy = size.height - image.height;
  if (dx >= 0 && dy >= 0) return crop(image, -Math.floor(dx / 2), -Math.floor(dy / 2), size.width, size.height);
  throw new ShapeError(
    `Cannot pad a picture of ${image.width} x ${image.height} for ${type}: at most ${size.width} x ${size.height} ` +
      "was expected (do_thumbnail or do_resize make it fit)",
    { shapes: [[image.channels, image.height, image.width], [image.channels, size.height, size.width]] },
  );
}
