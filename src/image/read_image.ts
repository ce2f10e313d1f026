// A picture from anywhere (path, URL, bytes, Blob) to upright pixels. Content decides the format, not the name.
import { FormatError, OptionError } from "../errors.ts";
import { type ImageSource, nameOfSource, readSource } from "./_source_bytes.ts";
import { readHeader } from "./header.ts";
import type { Decoder, ImageHeader } from "./image_header.ts";
import type { RawImage } from "./raw_image.ts";
import { orient } from "./transforms.ts";

/** How a picture is read. */
export interface ReadImageOptions {
  /**
   * The most pixels a picture may have; a larger one is refused by its header, before memory is taken.
   * @default 64e6
   */
  maxPixels?: number;
  /** The name used in messages where the source has none. */
  name?: string;
  /** Ends the reading of the source; what waits for it is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Read a picture and turn it upright as its EXIF orientation says.
 *
 * @param source A path, a `file:`, `http:`, `https:` or `data:` URL, the file's bytes, a Blob or a stream of them.
 * @returns The pixels: grey 1 channel, grey with alpha 2, colour and palettes 3, colour with alpha 4.
 * @throws {HubError} If the source cannot be reached: no such file, a folder, no permission, an HTTP error.
 * @throws {FormatError} If it is no picture, is damaged or cut short, has more than `maxPixels`, or its
 * file more than 512 MiB.
 */
export async function readImage(
  source: ImageSource,
  options: ReadImageOptions = {},
): Promise<RawImage> {
  const maxPixels = options.maxPixels ?? 64e6;
  if (!(maxPixels > 0)) {
    throw new OptionError(
      `Could not read a picture: option maxPixels is ${maxPixels}, and a positive number was expected`,
    );
  }
  const name = options.name ?? nameOfSource(source);
  const bytes = await readSource(source, name, options.signal);
  const header = readHeader(bytes, name);
  const pixels = header.width * header.height;
  if (pixels > maxPixels) {
    throw new FormatError(
      `Could not read picture ${name}: its header says ${header.width} x ${header.height}, ${pixels} pixels, and at ` +
        `most ${maxPixels} are read (option maxPixels)`,
      { file: name },
    );
  }
  return orient(await decode(bytes, header, name), header.orientation);
}

async function decode(bytes: Uint8Array, header: ImageHeader, name: string): Promise<RawImage> {
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
  if (image.width === header.width && image.height === header.height) return image;
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
