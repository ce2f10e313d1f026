// A picture from anywhere (path, URL, bytes, Blob) to upright pixels. Content decides the format, not the name.
import { FormatError, HubError, OptionError } from "../errors.ts";
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
  /** Ends a download. */
  signal?: AbortSignal;
}

/**
 * Read a picture and turn it upright as its EXIF orientation says.
 *
 * @param source A path, a `file:`, `http:`, `https:` or `data:` URL, the file's bytes, or a Blob.
 * @returns The pixels: grey 1 channel, grey with alpha 2, colour and palettes 3, colour with alpha 4.
 * @throws {HubError} If the source cannot be reached: no such file, a folder, no permission, an HTTP error.
 * @throws {FormatError} If it is no picture, is damaged or cut short, or has more than `maxPixels`.
 */
export async function readImage(
  source: string | URL | Uint8Array | Blob,
  options: ReadImageOptions = {},
): Promise<RawImage> {
  const maxPixels = options.maxPixels ?? 64e6;
  if (!(maxPixels > 0)) {
    throw new OptionError(
      `Could not read a picture: option maxPixels is ${maxPixels}, and a positive number was expected`,
    );
  }
  const name = options.name ?? nameOf(source);
  const bytes = await readBytes(source, name, options.signal);
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
function decoderOf({ format, color }: ImageHeader): Promise<Decoder> {
  const inks = color === "cmyk" || color === "ycck";
  const name = format === "png" || format === "webp" || format === "jpeg" && !inks ? format : "other";
  return loaded[name] ??= loaders[name]();
}

function nameOf(source: string | URL | Uint8Array | Blob): string {
  if (source instanceof Uint8Array) return "(bytes)";
  if (source instanceof Blob) return (source as File).name ?? "(blob)";
  const name = String(source);
  return name.startsWith("data:") ? "(data URL)" : name;
}

async function readBytes(
  source: string | URL | Uint8Array | Blob,
  name: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  const url = source instanceof URL ? source : /^(https?|file|data|blob):/i.test(source) ? new URL(source) : undefined;
  if (url && url.protocol !== "file:") return await download(url, name, signal);
  try {
    return await Deno.readFile(url ?? source, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new HubError(`Could not read picture ${name}: ${reason(error)}`, { cause: error });
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder, and a file was expected";
  if (error instanceof Deno.errors.NotCapable) return "reading it is not permitted, and --allow-read was expected";
  if (error instanceof Deno.errors.PermissionDenied) return "reading it is not permitted";
  return error instanceof Error ? error.message : String(error);
}

async function download(url: URL, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    await response.body?.cancel();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new HubError(`Could not download picture ${name}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  throw new HubError(
    `Could not download picture ${name}: the server answered ${response.status}, and 200 was expected`,
  );
}
