// Decodes a picture's file to upright pixels, by the library for its format.
import { explained } from "../../errors/explained.ts";
import { FormatError, LimnerError } from "../../errors/mod.ts";
import type { ImageFile } from "../image_file.ts";
import type { Decoder, ImageFormat, ImageTransform } from "./headers/image_header.ts";
import type { RawImage } from "../raw_image.ts";
import { orient } from "../processor/transforms.ts";

/**
 * Decode a picture and turn it upright as its file says (EXIF or XMP).
 *
 * @param transform Makes another picture of the decoded one before its pixels are copied, which saves the copy.
 * @returns The pixels: grey 1 channel, grey with alpha 2, colour and palettes 3, colour with alpha 4; or what `transform` returns.
 * @throws {FormatError} If the file is damaged.
 * @throws {LimnerError} If its pixels take more memory than can be had.
 */
export function decodeImage(file: ImageFile, transform?: ImageTransform): Promise<RawImage> {
  const { name, header: { format, width, height } } = file;
  const task = () => `Cannot decode ${format.toUpperCase()} ${name} of ${width} x ${height} pixels`;
  return explained(task, () => decode(file, transform));
}

async function decode({ bytes, header, name }: ImageFile, transform?: ImageTransform): Promise<RawImage> {
  const fail = (what: string, cause?: unknown): never => {
    const expected = `${header.width} x ${header.height} pixels were expected`;
    const message = `Cannot decode ${header.format.toUpperCase()} ${name}: ${what}, and ${expected}`;
    throw new FormatError(message, { file: name }, { cause });
  };
  const decoder = await decoderOf(header.format, name);
  let size: { readonly width: number; readonly height: number } = header;
  const fits = () => size.width === header.width && size.height === header.height;
  let image: RawImage;
  try {
    image = await decoder(bytes, header, (decoded) => {
      size = decoded;
      if (!fits()) return decoded;
      const upright = orient(decoded, header.orientation);
      return transform ? transform(upright) : upright;
    });
  } catch (error) {
    // Damaged data makes RangeErrors too, of places beyond its end.
    if (error instanceof RangeError && error.message.includes("allocation failed")) throw error;
    // A library's own message about a damaged file does not help the user.
    return fail("its data is damaged", error);
  }
  return fits() ? image : fail(`its data is of ${size.width} x ${size.height}`);
}

const loaders = {
  png: async () => await (await import("./_decode_png.ts")).load(),
  jpeg: async () => await (await import("./_decode_jpeg.ts")).load(),
  webp: async () => await (await import("./_decode_webp.ts")).load(),
  avif: async () => await (await import("./_decode_avif.ts")).load(),
  tiff: async () => await (await import("./tiff/decode_tiff.ts")).load(),
  pnm: async () => (await import("./_decode_pnm.ts")).decodePnm,
  gifOrBmp: async () => await (await import("./_decode_gif_bmp.ts")).load(),
} satisfies Record<string, () => Promise<Decoder>>;
const loaded: Partial<Record<keyof typeof loaders, Promise<Decoder>>> = {};

/** Load a decoder when its first picture is decoded: starting stays fast, and packages that are not needed are not fetched. */
async function decoderOf(format: ImageFormat, name: string): Promise<Decoder> {
  const kind = format === "gif" || format === "bmp" ? "gifOrBmp" : format;
  try {
    return await (loaded[kind] ??= loaders[kind]());
  } catch (error) {
    delete loaded[kind]; // a network that failed may work the next time
    const [reason] = String((error as Error)?.message ?? error).split("\n");
    throw new LimnerError(
      `Cannot decode picture ${name}: the library for ${format.toUpperCase()} does not load: ${reason}`,
      {
        cause: error,
      },
    );
  }
}
