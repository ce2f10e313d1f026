// Transforms of whole pixels: turning and mirroring, cropping, padding, and Pillow's integer reduction.
import { RawImage } from "../raw_image.ts";
import { type Box, type Resample, resize } from "./resample.ts";

/**
 * Turn or mirror a picture so that EXIF orientation `orientation` is upright, as Pillow's `ImageOps.exif_transpose`.
 *
 * @param image The picture as stored.
 * @param orientation The EXIF value: 1 upright, 2 mirrored, 3 turned by 180°, 4 flipped, 5 to 8 with the axes exchanged.
 * @returns The picture upright; `image` itself for 1 and unknown values.
 */
export function orient(image: RawImage, orientation: number): RawImage {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { data: source, width, height, channels } = image;
  const swap = orientation >= 5;
  const mirrorX = [2, 3, 7, 8].includes(orientation); // of the stored picture
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  const [outWidth, outHeight] = swap ? [height, width] : [width, height];
  const stepX = (mirrorX ? -1 : 1) * channels;
  const stepY = (mirrorY ? -1 : 1) * width * channels;
  const origin = ((mirrorY ? height - 1 : 0) * width + (mirrorX ? width - 1 : 0)) * channels;
  const [inner, outer] = swap ? [stepY, stepX] : [stepX, stepY];
  const data = new Uint8Array(source.length);
  for (let y = 0, to = 0; y < outHeight; y++) {
    for (let x = 0, from = origin + y * outer; x < outWidth; x++, from += inner) {
      for (let c = 0; c < channels; c++) data[to++] = source[from + c];
    }
  }
  return new RawImage(data, outWidth, outHeight, channels);
}

/**
 * Cut a region out of a picture; what lies outside of it is zero.
 *
 * @param image The picture.
 * @param left The region's left side in pixels, which may be negative.
 * @param top The region's upper side in pixels, which may be negative.
 * @param width The region's width, in pixels.
 * @param height The region's height, in pixels.
 * @returns A picture of `width` x `height`.
 */
export function crop(image: RawImage, left: number, top: number, width: number, height: number): RawImage {
  const { data: source, channels } = image;
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  const data = new Uint8Array(width * height * channels);
  const from = Math.max(0, left);
  const to = Math.min(image.width, left + width);
  if (to > from) {
    for (let y = Math.max(0, top); y < Math.min(image.height, top + height); y++) {
      const row = source.subarray((y * image.width + from) * channels, (y * image.width + to) * channels);
      data.set(row, ((y - top) * width + from - left) * channels);
    }
  }
  return new RawImage(data, width, height, channels);
}

/**
 * Cut the middle out of a picture, padded with zeros where it is smaller, as Transformers' `center_crop`.
 *
 * @param image The picture.
 * @param width The new width, in pixels.
 * @param height The new height, in pixels.
 * @returns A picture of `width` x `height`.
 */
export function centerCrop(image: RawImage, width: number, height: number): RawImage {
  // Transformers rounds the margin down where it cuts, and the padding up where it pads.
  let left = Math.floor((image.width - width) / 2);
  let top = Math.floor((image.height - height) / 2);
  if (left < 0 || top < 0 || left + width > image.width || top + height > image.height) {
    const padLeft = Math.ceil((Math.max(width, image.width) - image.width) / 2);
    const padTop = Math.ceil((Math.max(height, image.height) - image.height) / 2);
    left = Math.max(0, left + padLeft) - padLeft;
    top = Math.max(0, top + padTop) - padTop;
  }
  return crop(image, left, top, width, height);
}

/**
 * Average blocks of `factorX` x `factorY` pixels, as Pillow's `Image.reduce`; the last blocks may be smaller.
 *
 * @param image The picture.
 * @param factorX The width of a block, in pixels.
 * @param factorY The height of a block, in pixels.
 * @param box The region to reduce, in whole pixels.
 * @returns A picture with the region's sides divided by the factors, rounded up.
 */
export function reduce(image: RawImage, factorX: number, factorY: number, box: Box): RawImage {
  const { data: source, channels } = image;
  const [left, top, right, bottom] = box;
  const width = Math.ceil((right - left) / factorX);
  const height = Math.ceil((bottom - top) / factorY);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    const y0 = top + y * factorY;
    const y1 = Math.min(bottom, y0 + factorY);
    for (let x = 0; x < width; x++) {
      const x0 = left + x * factorX;
      const x1 = Math.min(right, x0 + factorX);
      const count = (y1 - y0) * (x1 - x0);
      const multiplier = Math.trunc(Math.fround(0x1000000 / count)); // Pillow divides in float32
      for (let c = 0; c < channels; c++) {
        let sum = count >> 1;
        for (let v = y0; v < y1; v++) {
          for (let u = x0; u < x1; u++) sum += source[(v * image.width + u) * channels + c];
        }
        data[to++] = Math.floor(sum * multiplier / 0x1000000);
      }
    }
  }
  return new RawImage(data, width, height, channels);
}

/**
 * Resize in two steps, first by whole factors, as Pillow's `Image.resize(..., reducing_gap=gap)`.
 *
 * @param image The picture.
 * @param width The new width, in pixels.
 * @param height The new height, in pixels.
 * @param resample Pillow's code of the filter.
 * @param gap How many times larger than the result the first step must leave the picture at least.
 * @returns A picture of `width` x `height`.
 */
export function resizeWithGap(
  image: RawImage,
  width: number,
  height: number,
  resample: Resample,
  gap: number,
): RawImage {
  const scaleX = image.width / width;
  const scaleY = image.height / height;
  const factorX = Math.trunc(scaleX / gap) || 1;
  const factorY = Math.trunc(scaleY / gap) || 1;
  if (resample === 0 || (factorX === 1 && factorY === 1)) return resize(image, width, height, resample);
  // The region is the whole picture, so Pillow's "safe box" around it is the whole picture too.
  const reduced = reduce(image, factorX, factorY, [0, 0, image.width, image.height]);
  return resize(reduced, width, height, resample, [0, 0, image.width / factorX, image.height / factorY]);
}
