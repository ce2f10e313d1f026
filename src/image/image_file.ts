// A picture's file before it is decoded: its bytes, from anywhere, and what its header says. Content decides the format,
// not the name.
import { FormatError, OptionError } from "../errors/mod.ts";
import { defaultLimits } from "../limits/mod.ts";
import { type ImageSource, isBytes, nameOfSource, readSource, type SourceOptions } from "./source_bytes.ts";
import { readHeader } from "./formats/headers/read_header.ts";
import type { ImageHeader } from "./formats/headers/image_header.ts";

/** How a picture is read. */
export interface ReadImageOptions extends SourceOptions {
  /**
   * The most pixels a picture may have; a larger one is refused by its header, before memory is taken.
   * @default 64e6
   */
  maxPixels?: number;
  /**
   * Which page of a TIFF is read, from 1 on.
   * @default 1
   */
  page?: number;
  /** The name used in messages where the source has none. */
  name?: string;
}

/** A whole file whose header has been read. */
export interface ImageFile {
  readonly bytes: Uint8Array;
  readonly header: ImageHeader;
  /** What messages call it. */
  readonly name: string;
  /** Whether the bytes are the reader's own, so that they may be moved to another thread. */
  readonly own: boolean;
}

/**
 * Read a picture's file and its header.
 *
 * @throws {HubError} If the source cannot be reached: no such file, a folder, no permission, an HTTP error, a
 * private address.
 * @throws {FormatError} If it is no picture, is cut short, has more than `maxPixels`, or its file more than 512 MiB.
 */
export async function readImageFile(source: ImageSource, options: ReadImageOptions = {}): Promise<ImageFile> {
  const maxPixels = options.maxPixels ?? defaultLimits.maxPixels;
  if (!(maxPixels > 0)) {
    throw new OptionError(
      `Cannot read a picture: option maxPixels is ${maxPixels}, and a positive number was expected`,
    );
  }
  const page = options.page ?? 1;
  if (!(Number.isSafeInteger(page) && page > 0)) {
    throw new OptionError(`Cannot read a picture: option page is ${page}, expected a whole number from 1`);
  }
  const name = options.name ?? nameOfSource(source);
  const bytes = await readSource(source, name, options);
  const header = await readHeader(bytes, name, page);
  const pixels = header.width * header.height;
  if (pixels > maxPixels) {
    throw new FormatError(
      `Cannot read picture ${name}: its header says ${header.width} x ${header.height}, ${pixels} pixels, and at ` +
        `most ${maxPixels} are read (option maxPixels)`,
      { file: name },
    );
  }
  return { bytes, header, name, own: !isBytes(source) };
}
