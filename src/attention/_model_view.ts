// The part of a picture that a model sees after its processor.
import { type ImageProcessor, RawImage } from "../image/mod.ts";

/**
 * The picture itself if the processor only stretches it; otherwise its pixels as the processor crops, pads and turns them.
 */
export function modelView(image: RawImage, processor: ImageProcessor): RawImage {
  const { type, doCenterCrop, doPad } = processor.settings;
  const documents = type === "DonutImageProcessor" || type === "NougatImageProcessor";
  if (!documents && !doCenterCrop && !doPad) return image;
  const { shape: [, , height, width], data } = processor(image, { doRescale: false, doNormalize: false }).pixelValues;
  const plane = height * width;
  const rgb = new Uint8Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = Number(data[c * plane + i]);
  }
  return new RawImage(rgb, width, height, 3);
}
