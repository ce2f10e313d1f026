// The pixels that a processor may take for one picture, asked before they are, at each step and of what comes out. (What
// lies between the two passes of a resizing is never more than what goes in or what comes out.)
import { ConfigError } from "../../errors/mod.ts";
import { demand } from "../../limits/mod.ts";
import type { Rectangle } from "./resample.ts";

/** The settings that sizes follow from. */
interface SizeSettings {
  readonly maxPixels: number;
  readonly maxInputPixels: number;
  readonly size: object;
  readonly cropSize?: object;
  readonly padSize?: object;
}

/**
 * Ask for a picture of a size.
 *
 * @param key The setting that the size follows from.
 * @param step.from The picture that it is made of by resizing, if it is.
 * @param step.last Whether the model gets it so. @default false
 * @throws {LimitError} If it takes more than `limits.maxPixels`, or of the last ones than `limits.maxInputPixels`.
 * @throws {ConfigError} If a side is no positive whole number.
 */
export function askPixels(
  settings: SizeSettings,
  key: "size" | "crop_size" | "pad_size",
  { width, height }: Rectangle,
  { from, last = false }: { readonly from?: Rectangle; readonly last?: boolean } = {},
): void {
  const given = { size: settings.size, crop_size: settings.cropSize, pad_size: settings.padSize }[key];
  const before = from ? ` a picture of ${from.width} x ${from.height}` : " pictures";
  const because = `${key} is ${JSON.stringify(given)}, which makes${before} ${width} x ${height}`;
  if (!(Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0)) {
    throw new ConfigError(`Cannot process a picture: ${because}, and positive whole numbers were expected`, key);
  }
  const task = "Cannot process a picture";
  if (last) demand(settings, "maxInputPixels", width * height, { task, because, key });
  demand(settings, "maxPixels", width * height, { task, because, key });
}
