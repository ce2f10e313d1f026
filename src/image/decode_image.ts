// From a picture's file to upright pixels, by the library for its format.
import { FormatError } from "../errors.ts";
import type { ImageFile } from "./image_file.ts";
import type { Decoder, ImageHeader } from "./image_header.ts";
import type { RawImage } from "./raw_image.ts";
import { orient } from "./transforms.ts";

/**
 * Decode a picture and turn it upright as its EXIF orientation says.
 *
 * @returns The pixels: grey 1 channel, grey with alpha 2, colour and palettes 3, colour with alpha 4.
 * @throws {FormatError} If the file is damaged.
 */
export async function decodeImage({ bytes, header, name }: ImageFile): Promise<RawImage> {
  const fail = (what: string, cause?: unknown): never => {
    const expected = `${header.width} x ${header.height} pixels were expected`;
    const message = `Could not decode ${header.format.toUpperCase()} ${name}: ${what}, and ${expected}`;
    throw new FormatError(message, { file: name }, { cause });
  };
  const decoder = await decoderOf(header);
  let image: RawImage;
  try {
    image = await decoder(bytes, header);
  } catch (error) {
    // What a library says of a damaged file says nothing to its reader.
    return fail("its data is damaged", error);
  }
  if (image.width === header.width && image.height === header.height) return orient(image, header.orientation);
  return fail(`its data is of ${image.width} x ${image.height}`);
}

const loaders = {
  png: async () => await (await import("./_decode_png.ts")).load(),
  jpeg: async () => await (await import("./_decode_jpeg.ts")).load(),
  webp: async () => await (await import("./_decode_webp.ts")).load(),
  other: async () => await (await import("./_decode_other.ts")).load(),
} satisfies Record<string, () => Promise<Decoder>>;
const loaded: Partial<Record<keyof typeof loaders, Promise<Decoder>>> = {};

/** A decoder is loaded when the first picture for it comes: start-up stays short. */
function decoderOf({ format }: ImageHeader): Promise<Decoder> {
  const name = format === "gif" || format === "bmp" ? "other" : format;
  return loaded[name] ??= loaders[name]();
}
