// readImage(), which users call: a picture from any source (path, URL, bytes, Blob) to upright pixels, in this thread.
import type { ImageSource } from "./source_bytes.ts";
import { decodeImage } from "./formats/decode_image.ts";
import { readImageFile, type ReadImageOptions } from "./image_file.ts";
import type { RawImage } from "./raw_image.ts";

/**
 * Read a picture and turn it upright as its file says (EXIF or XMP).
 *
 * @param source A path, a `file:`, `http:`, `https:` or `data:` URL, base64, the file's bytes in memory, a Blob, a
 * Response or a stream of them.
 * @returns The pixels: grey 1 channel, grey with alpha 2, colour and palettes 3, colour with alpha 4.
 * @throws {HubError} If the source cannot be reached: no such file, a folder, no permission, an HTTP error, a private
 * address.
 * @throws {OptionError} If it is anything else; the message names its type.
 * @throws {FormatError} If it is no picture, is damaged or cut short, has more than `maxPixels`, or its
 * file more than 512 MiB.
 */
export async function readImage(
  source: ImageSource,
  options: ReadImageOptions = {},
): Promise<RawImage> {
  return await decodeImage(await readImageFile(source, options));
}
