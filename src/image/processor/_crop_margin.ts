// Nougat's cropping of a page's empty margins (NougatImageProcessor.crop_margin).
import type { RawImage } from "../raw_image.ts";
import { crop } from "./transforms.ts";

/**
 * Crop the margins in which nothing is darker than the threshold.
 *
 * @param image A picture in RGB or grey.
 * @param threshold Grey values below this count as dark, of 255, after the picture's range is stretched to 0 to 255.
 * @returns The part inside the margins; the whole picture if it has one grey value only.
 * @default threshold 200
 */
export function cropMargin(image: RawImage, threshold = 200): RawImage {
  const { data: grey, width, height } = image.toGrey();
  let min = 255, max = 0;
  for (const value of grey) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min === max) return image;
  let left = width, top = height, right = -1, bottom = -1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if ((grey[i] - min) / (max - min) * 255 >= threshold) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return crop(image, left, top, right - left + 1, bottom - top + 1);
}
